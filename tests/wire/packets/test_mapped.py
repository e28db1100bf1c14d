"""Mapped capture files: the packets of a read, and nobody cuts the file while the map is read."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from wire.packets.batch import batch_of
from wire.packets.capturefile import CaptureError, Chunks
from wire.packets.mapped import WINDOW_BYTES, WORTH_BYTES, MappedChunks
from wire.packets.pcap import PcapReader, PcapWriter, open_capture

FRAMES = 1500
FRAME_BYTES = 30_000  # 45 MB in all: several windows


@pytest.fixture(scope="module")
def capture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("mapped") / "large.pcap"
    rng = np.random.default_rng(1)
    with PcapWriter(path) as writer:
        for start in range(0, FRAMES, 100):
            frames = [rng.bytes(FRAME_BYTES + number) for number in range(100)]
            writer.write(batch_of(frames, [10**18 + start + number for number in range(100)]))
    assert path.stat().st_size > 3 * WINDOW_BYTES
    return path


def sums(reader: PcapReader) -> list[tuple[int, int, int]]:
    """Time, length and sum of the bytes of each packet."""
    found = []
    for batch in reader:
        for number in range(batch.packets):
            start = int(batch.offset[number])
            frame = batch.buffer[start : start + int(batch.captured[number])]
            found.append((int(batch.time_ns[number]), len(frame), int(frame.sum())))
    return found


def read(path: Path) -> list[tuple[int, int, int]]:
    return sums(PcapReader(Chunks(path, path.open("rb", buffering=0))))


def mapped(path: Path) -> PcapReader:
    reader = open_capture(path)
    if not reader.chunks.is_mapped:
        pytest.skip("this file system knows no leases, or the file is of another user: nothing is mapped here")
    assert isinstance(reader, PcapReader)
    return reader


def test_it_gives_the_packets_that_reads_give(capture: Path) -> None:
    assert sums(mapped(capture)) == read(capture)


def test_a_small_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "small.pcap"
    with PcapWriter(path) as writer:
        writer.write(batch_of([bytes(1000)] * 10, [1] * 10))
    assert path.stat().st_size < WORTH_BYTES
    with open_capture(path) as reader:
        assert not reader.chunks.is_mapped


def test_a_file_that_is_being_written_is_read(capture: Path) -> None:
    with capture.open("r+b"), open_capture(capture) as reader:
        assert not reader.chunks.is_mapped


def test_who_wants_to_cut_the_file_waits_until_it_is_read_without_the_map(capture: Path, tmp_path: Path) -> None:
    path = tmp_path / "cut.pcap"
    path.write_bytes(capture.read_bytes())
    expected = read(path)
    reader = mapped(path)
    batches = reader.batches()
    next(batches)
    cutter = subprocess.Popen([sys.executable, "-c", f"import os; os.truncate({str(path)!r}, 5_000_000)"])
    waiting = threading.Event()
    while not waiting.wait(0.05):  # until the kernel has told that somebody waits
        if reader.chunks.fill() and not reader.chunks.is_mapped:
            break
    assert cutter.poll() is None, "the file was cut under the map"
    assert reader.chunks.is_mapped is False
    seen = len(sums_of(batches))
    reader.close()
    assert cutter.wait(timeout=60) == 0
    assert path.stat().st_size == 5_000_000
    assert 0 < seen < len(expected)


def sums_of(batches: object) -> list[int]:
    """Lengths of the packets until the file ends or is damaged: it was cut while it was read."""
    lengths: list[int] = []
    try:
        for batch in batches:  # type: ignore[attr-defined]
            lengths.extend(batch.captured.tolist())
    except CaptureError:
        pass
    return lengths


def test_views_of_the_map_outlive_the_reader(capture: Path) -> None:
    reader = mapped(capture)
    assert isinstance(reader.chunks, MappedChunks)
    batch = next(reader.batches())
    frame = batch.buffer[int(batch.offset[0]) : int(batch.offset[0]) + 100]
    kept = bytes(frame)
    reader.close()
    del reader, batch
    assert bytes(frame) == kept
    assert os.path.getsize(capture) > WORTH_BYTES  # noqa: PTH202
