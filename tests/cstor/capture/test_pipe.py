"""A capture that comes as a stream: through a named pipe or standard input, in any pieces, to any end."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cstor.capture.pipe import PipeSource
from cstor.config import ConfigError
from tests.cstor.capture.frames import ethernet, tcp
from wire.packets.batch import batch_of
from wire.packets.pcap import pcap_header, pcap_records

FRAME = ethernet(tcp("10.0.0.1", "10.0.0.2", (40000, 443)))


def records(count: int, begin_ns: int) -> bytes:
    times = [begin_ns + n * 1000 for n in range(count)]
    return bytes(pcap_records(batch_of([FRAME] * count, times)))


def taken(source: PipeSource, wanted: int, seconds: float = 10) -> list[bytes]:
    frames, end = [], time.monotonic() + seconds
    while len(frames) < wanted and time.monotonic() < end:
        batch = source.read(0.05)
        frames += [batch.frame(n) for n in range(batch.packets)] if batch else []
    return frames


@pytest.fixture
def fifo(tmp_path: Path) -> Path:
    path = tmp_path / "stream"
    os.mkfifo(path)
    return path


@pytest.fixture
def source(fifo: Path) -> Iterator[PipeSource]:
    made = PipeSource(str(fifo))
    made.open()
    yield made
    made.close()


def test_it_reads_a_named_pipe_until_its_end(source: PipeSource, fifo: Path) -> None:
    assert source.read(0.0) is None
    now = time.time_ns()
    with fifo.open("wb", buffering=0) as sender:
        sender.write(pcap_header(1) + records(3, now))
        assert taken(source, 3) == [FRAME] * 3
        assert source.state == "capturing"
        sender.write(records(2, now))
        assert len(taken(source, 2)) == 2
    assert taken(source, 1, 0.3) == []
    source.check()
    assert (source.state, source.problem, source.packets) == ("ended", None, 5)
    assert source.warnings == []


def test_it_waits_for_no_half_record(source: PipeSource, fifo: Path) -> None:
    stream = pcap_header(1) + records(3, time.time_ns())
    with fifo.open("wb", buffering=0) as sender:
        sender.write(stream[:-10])
        assert len(taken(source, 2)) == 2
        began = time.monotonic()
        assert source.read(0.0) is None
        assert time.monotonic() - began < 5
        sender.write(stream[-10:])
        assert len(taken(source, 1)) == 1


def test_it_hands_over_more_than_a_batch(source: PipeSource, fifo: Path) -> None:
    if os.fork() == 0:
        with fifo.open("wb") as sender:
            sender.write(pcap_header(1) + records(20_000, time.time_ns()))
        os._exit(0)
    assert len(taken(source, 20_000)) == 20_000
    os.wait()


@pytest.mark.parametrize(
    ("end", "said"),
    [(b"\xff" * 24, "damaged"), (b"\0" * 7, "middle of a packet"), (b"", "")],
    ids=["rubbish", "cut", ""],
)
def test_a_broken_stream_is_told_and_what_was_whole_is_kept(
    source: PipeSource, fifo: Path, end: bytes, said: str
) -> None:
    with fifo.open("wb", buffering=0) as sender:
        sender.write(pcap_header(1) + records(2, time.time_ns()) + end)
    assert len(taken(source, 2)) == 2
    taken(source, 1, 0.3)
    source.check()
    assert said in (source.problem or "")
    assert source.state == ("failed" if said else "ended")


def test_what_is_no_capture_is_told(source: PipeSource, fifo: Path) -> None:
    with fifo.open("wb", buffering=0) as sender:
        sender.write(b"GET / HTTP/1.1\r\n\r\n")
    taken(source, 1, 0.3)
    source.check()
    assert "not a pcap or pcapng" in (source.problem or "")


def test_an_old_capture_is_warned_of(source: PipeSource, fifo: Path) -> None:
    with fifo.open("wb", buffering=0) as sender:
        sender.write(pcap_header(1) + records(1, 1_600_000_000_000_000_000))
    taken(source, 1)
    source.check()
    assert "cstor ingest" in source.warnings[0]


def test_it_closes_while_nobody_sends(source: PipeSource) -> None:
    source.read(0.0)  # the fixture closes it


@pytest.mark.parametrize(("make", "said"), [(None, "mkfifo"), ("file", "cstor ingest")])
def test_it_says_what_to_do(tmp_path: Path, make: str | None, said: str) -> None:
    path = tmp_path / "x"
    if make:
        path.write_bytes(b"")
    with pytest.raises(ConfigError, match=said):
        PipeSource(str(path)).open()
