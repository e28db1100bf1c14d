"""A capture parted in two by connection, as a fanout over two cores parts packets: both directions stay together."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cstor.engine import Decoder
from wire.packets.batch import PacketBatch
from wire.packets.pcap import PcapWriter, open_capture


def write_halves(trace: Path, folder: Path) -> tuple[Path, Path]:
    """Two captures beside each other in `folder`, by a symmetric hash of the innermost addresses and ports."""
    paths = (folder / "half0.pcap", folder / "half1.pcap")
    decoder = Decoder()
    with open_capture(trace) as reader, PcapWriter(paths[0]) as first, PcapWriter(paths[1]) as second:
        for batch in reader:
            half = _half_of(decoder.decode(batch))
            first.write(_chosen(batch, half == 0))
            second.write(_chosen(batch, half == 1))
    return paths


def _half_of(packets: np.ndarray) -> np.ndarray:
    """0 or 1 for each packet."""
    mixed = packets["src_hi"] ^ packets["dst_hi"] ^ packets["src_lo"] ^ packets["dst_lo"]
    mixed = mixed ^ packets["src_port"] ^ packets["dst_port"]
    for shift in (32, 16, 8, 4, 2, 1):
        mixed = mixed ^ mixed >> shift
    return mixed & 1


def _chosen(batch: PacketBatch, chosen: np.ndarray) -> PacketBatch:
    return batch._replace(
        offset=batch.offset[chosen],
        captured=batch.captured[chosen],
        wire_length=batch.wire_length[chosen],
        time_ns=batch.time_ns[chosen],
    )
