"""The frames chosen of a reader's batch, in place or copied, and several batches as one in time order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np

from wire.packets.batch import PacketBatch
from wire.packets.bigendian import copy_bytes
from wire.packets.jit import kernel


def chosen_view(batch: PacketBatch, mask: np.ndarray) -> PacketBatch:
    """The frames under the mask where they lie: valid as long as the batch."""
    which = np.flatnonzero(mask)
    columns = (column[which] for column in (batch.offset, batch.captured, batch.wire_length, batch.time_ns))
    return PacketBatch(batch.buffer, *columns, batch.link_type)


def chosen_frames(batch: PacketBatch, mask: np.ndarray) -> PacketBatch:
    """A copy of the frames under the mask, close together."""
    which = np.flatnonzero(mask)
    captured = batch.captured[which]
    offset = np.zeros(len(which), np.int64)
    np.cumsum(captured[:-1], out=offset[1:], dtype=np.int64)
    buffer = np.empty(int(captured.sum(dtype=np.int64)), np.uint8)
    copy_frames(batch.buffer, batch.offset[which], captured, buffer)
    return PacketBatch(buffer, offset, captured, batch.wire_length[which], batch.time_ns[which], batch.link_type)


@kernel
def copy_frames(buffer, offset, captured, out):
    at = 0
    for index in range(len(offset)):
        start, length = offset[index], np.int64(captured[index])
        copy_bytes(out, at, buffer, start, length)
        at += length


def in_time_order(batches: Sequence[PacketBatch]) -> Iterator[PacketBatch]:
    """The packets of several batches by time, equal times in the order given; a batch for each run of one link type."""
    if len(batches) == 1 and (batches[0].time_ns[1:] >= batches[0].time_ns[:-1]).all():
        yield batches[0]
        return
    starts = np.cumsum([0, *(len(batch.buffer) for batch in batches)])
    offset = np.concatenate([batch.offset + start for batch, start in zip(batches, starts, strict=False)])
    times = np.concatenate([batch.time_ns for batch in batches])
    order = np.argsort(times, kind="stable")
    columns = (
        np.concatenate([batch.buffer for batch in batches]),
        offset[order],
        np.concatenate([batch.captured for batch in batches])[order],
        np.concatenate([batch.wire_length for batch in batches])[order],
        times[order],
    )
    links = np.repeat([batch.link_type for batch in batches], [batch.packets for batch in batches])[order]
    edges = [0, *(np.flatnonzero(links[1:] != links[:-1]) + 1).tolist(), len(links)]
    for start, stop in pairwise(edges):
        whole = PacketBatch(*columns, int(links[start]))
        yield whole.part(start, stop)
