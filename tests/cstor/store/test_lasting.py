"""Chunks that outlive the next one: what refers to them keeps them, what does not gives them back."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cstor.store.catalog import segments
from cstor.store.lasting import LastingChunks
from cstor.store.layout import open_store
from cstor.store.segment import SegmentWriter
from cstor.store.sequence import Sequence
from wire.packets.batch import batch_of
from wire.packets.capturefile import CHUNK_BYTES
from wire.packets.pcap import PcapReader, PcapWriter, open_capture

T = 1_700_000_000_000_000_000


def capture(path: Path, count: int, size: int, nanoseconds: bool = True) -> Path:
    with PcapWriter(path, nanoseconds=nanoseconds) as writer:
        frames = [bytes([n % 251]) * (size + n % 40) for n in range(count)]
        writer.write(batch_of(frames, [T + n * 1000 for n in range(count)]))
    return path


def lasting(path: Path) -> PcapReader:
    reader = open_capture(path)
    assert isinstance(reader, PcapReader)
    reader.chunks = LastingChunks(reader.chunks)
    return reader


def test_batches_that_are_kept_stay_as_they_were(tmp_path: Path) -> None:
    path = capture(tmp_path / "a.pcap", 9000, 700)
    kept = [(batch.buffer, batch.offset.copy(), batch.captured.copy(), batch.time_ns.copy()) for batch in lasting(path)]
    assert len({id(buffer) for buffer, *_ in kept}) > 3
    frames = [
        buffer[start : start + length].tobytes()
        for buffer, offset, captured, _ in kept
        for start, length in zip(offset.tolist(), captured.tolist(), strict=True)
    ]
    assert frames == [bytes([n % 251]) * (700 + n % 40) for n in range(9000)]


def test_memory_is_used_again(tmp_path: Path) -> None:
    seen = set()
    reader = lasting(capture(tmp_path / "a.pcap", 20_000, 700))
    for batch in reader:
        seen.add(batch.buffer.ctypes.data)
        del batch
    assert len(seen) <= 4


def test_a_record_longer_than_a_chunk(tmp_path: Path) -> None:
    sizes = [100, 200_000, 50, 262_000] * 12
    path = tmp_path / "a.pcap"
    with PcapWriter(path) as writer:
        for number, size in enumerate(sizes):
            writer.write_frame(bytes([number]) * size, T + number)
    found = [int(length) for batch in lasting(path) for length in batch.captured]
    assert found == sizes
    assert sum(sizes) > 3 * CHUNK_BYTES


def test_segments_are_written_from_where_packets_lie(tmp_path: Path) -> None:
    for nanoseconds in (True, False):
        path = capture(tmp_path / f"{nanoseconds}.pcap", 9000, 300, nanoseconds)
        store = tmp_path / f"store-{nanoseconds}"
        writer = SegmentWriter(open_store(store), Sequence(store), live=False)
        writer.lasting = True
        writer.append(batch_of([b"x" * 60] * 5, [T - 5 + n for n in range(5)]))  # not as in a file: copied, and first
        for batch in lasting(path):
            writer.append(batch)
        writer.append(batch_of([b"y" * 60], [T + 10**9]))
        writer.close()
        (segment,) = segments(store, 0, 1 << 62)
        written = [(int(b.time_ns[n]), b.frame(n)) for b in open_capture(segment.path) for n in range(b.packets)]
        given = [(int(b.time_ns[n]), b.frame(n)) for b in open_capture(path) for n in range(b.packets)]
        around = [(T - 5 + n, b"x" * 60) for n in range(5)], [(T + 10**9, b"y" * 60)]
        assert written == [*around[0], *given, *around[1]]
        assert segment.ordered
        assert np.all([segment.packets == 9006, segment.path.stat().st_size == segment.bytes_valid])
