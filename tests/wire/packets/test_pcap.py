"""pcap files: every flavour in, nothing but whole packets out, and one line for what cannot be read."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wire.packets import capturefile
from wire.packets.batch import MAX_PACKETS, PacketBatch, batch_of
from wire.packets.pcap import CaptureError, PcapWriter, open_capture, pcap_header, pcap_records

RECORDS = [(0, b"", 0), (1_700_000_000_123_456_000, b"abc", 3), (4_000_000_000_999_999_000, b"x" * 90, 1500)]


def pcap(order: str, magic: int, unit: int, link_type: int = 1, extra: bytes = b"", version: int = 2) -> bytes:
    """RECORDS as a file."""
    data = struct.pack(order + "IHHiIII", magic, version, 4, 0, 0, 65535, link_type)
    for time_ns, frame, wire in RECORDS:
        head = struct.pack(order + "IIII", time_ns // 10**9, time_ns % 10**9 // unit, len(frame), wire)
        data += head + extra + frame
    return data


def read(data: bytes, folder: Path) -> list[tuple[int, bytes, int]]:
    path = folder / "file.pcap"
    path.write_bytes(data)
    return [
        (int(batch.time_ns[i]), batch.frame(i), int(batch.wire_length[i]))
        for batch in open_capture(path)
        for i in range(batch.packets)
    ]


def fault(data: bytes, folder: Path) -> CaptureError:
    with pytest.raises(CaptureError) as caught:
        read(data, folder)
    return caught.value


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("magic", "unit"), [(0xA1B2C3D4, 1000), (0xA1B23C4D, 1)])
def test_it_reads_both_orders_and_both_units(order: str, magic: int, unit: int, tmp_path: Path) -> None:
    assert read(pcap(order, magic, unit), tmp_path) == RECORDS


def test_it_reads_longer_record_heads(tmp_path: Path) -> None:
    assert read(pcap("<", 0xA1B2CD34, 1000, extra=bytes(8)), tmp_path) == RECORDS


def test_it_ignores_the_bits_above_the_link_type(tmp_path: Path) -> None:
    path = tmp_path / "fcs"
    path.write_bytes(pcap("<", 0xA1B2C3D4, 1000, 0x4400_0065))
    assert [batch.link_type for batch in open_capture(path)] == [101]


@pytest.mark.parametrize(
    ("data", "offset", "reason"),
    [
        (b"", 0, "empty"),
        (b"abc", 0, "only 3 bytes"),
        (b"PK\x03\x04 some archive, no capture", 0, "not a pcap or pcapng file (it starts with 50 4b 03 04)"),
        (b"\x1f\x8b\x08\x00 packed", 0, "gzip"),
        (pcap("<", 0xA1B2C3D4, 1000)[:20], 0, "inside its header (20 of 24 bytes)"),
        (pcap("<", 0xA1B2C3D4, 1000, version=3), 0, "version 3.4"),
        (pcap("<", 0xA1B2C3D4, 1000, 147), 0, "link type 147 cannot be read; these can: BSD loopback"),
    ],
)
def test_it_refuses_what_is_no_capture(data: bytes, offset: int, reason: str, tmp_path: Path) -> None:
    error = fault(data, tmp_path)
    assert (error.offset, error.partial) == (offset, False)
    assert reason in error.reason
    assert str(error) == f"{tmp_path / 'file.pcap'}: offset {offset}: {error.reason}"
    assert "\n" not in str(error)


def test_it_refuses_what_is_no_file(tmp_path: Path) -> None:
    for path, reason in ((tmp_path / "missing", "No such file"), (tmp_path, "directory")):
        with pytest.raises(CaptureError, match=reason):
            open_capture(path)


def test_it_hands_out_whole_packets_of_a_cut_file(tmp_path: Path) -> None:
    whole = pcap(">", 0xA1B2C3D4, 1000)
    ends = [24, 40, 59, 165]
    for size in range(24, len(whole)):
        path = tmp_path / "cut"
        path.write_bytes(whole[:size])
        reader = open_capture(path)
        kept = sum(end <= size for end in ends) - 1
        if size in ends:
            list(reader)
        else:
            with pytest.raises(CaptureError, match="middle of a packet") as caught:
                list(reader)
            assert (caught.value.partial, caught.value.offset) == (kept > 0, ends[kept])
        assert reader.packets == kept


def test_it_stops_at_an_impossible_length(tmp_path: Path) -> None:
    data = pcap("<", 0xA1B2C3D4, 1000) + struct.pack("<IIII", 1, 1, 262_145, 1) + bytes(300_000)
    error = fault(data, tmp_path)
    assert (error.partial, error.offset) == (True, 165)
    assert "262144" in error.reason


def test_it_reads_across_chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    frames = [bytes(rng.integers(0, 256, size, np.uint8)) for size in rng.integers(0, 5000, 500)]
    frames.append(bytes(262_144))
    path = tmp_path / "big"
    with PcapWriter(path) as writer:
        writer.write(batch_of(frames))
    for chunk in (64, 4096, 1 << 20):
        monkeypatch.setattr(capturefile, "CHUNK_BYTES", chunk)
        assert [batch.frame(i) for batch in open_capture(path) for i in range(batch.packets)] == frames


def test_it_makes_batches_of_bounded_size(tmp_path: Path) -> None:
    path = tmp_path / "many"
    with PcapWriter(path) as writer:
        writer.write(batch_of([b"x"] * (MAX_PACKETS + 1)))
    assert [batch.packets for batch in open_capture(path)] == [MAX_PACKETS, 1]


@pytest.mark.parametrize("nanoseconds", [True, False])
def test_it_reads_what_it_wrote(nanoseconds: bool, tmp_path: Path) -> None:
    path = tmp_path / "written.pcap"
    with PcapWriter(path, 101, nanoseconds) as writer:
        writer.write(
            batch_of([frame for _, frame, _ in RECORDS], [t for t, _, _ in RECORDS], [w for _, _, w in RECORDS], 101)
        )
        writer.write_frame(b"last", 5_000_000_000)
        with pytest.raises(ValueError, match="one link type"):
            writer.write(batch_of([b""]))
    assert (writer.packets, writer.bytes_written) == (4, path.stat().st_size)
    batches = list(open_capture(path))
    assert [batch.link_type for batch in batches] == [101]
    assert read(path.read_bytes(), tmp_path) == [*RECORDS, (5_000_000_000, b"last", 4)]


def test_it_writes_to_an_open_file_and_leaves_it_open() -> None:
    file = io.BytesIO()
    batch = batch_of([b"a", b"bc"])
    with PcapWriter(file) as writer:
        writer.write(batch)
    assert file.getvalue() == pcap_header(1) + bytes(pcap_records(batch))


def test_it_writes_a_selection_without_copying_it_first(tmp_path: Path) -> None:
    batch = batch_of([b"one", b"two", b"three"])
    chosen = np.array([2, 0])
    part = PacketBatch(batch.buffer, *(column[chosen] for column in batch[1:5]), batch.link_type)
    assert read(pcap_header(1) + bytes(pcap_records(part)), tmp_path) == [(2000, b"three", 5), (0, b"one", 3)]
    assert batch.part(1, 2).frame(0) == b"two"


@given(st.binary(max_size=300), st.sampled_from([b"", pcap("<", 0xA1B2C3D4, 1000), pcap(">", 0xA1B23C4D, 1)[:100]]))
@settings(max_examples=300, deadline=None)
def test_it_survives_any_file(tmp_path_factory: pytest.TempPathFactory, tail: bytes, head: bytes) -> None:
    folder = tmp_path_factory.mktemp("fuzz")
    end = 0
    try:
        found = read(head + tail, folder)
    except CaptureError as error:
        found, end = [], error.offset
    assert 0 <= end <= len(head + tail)
    assert not found or sum(len(frame) + 16 for _, frame, _ in found) + 24 == len(head + tail)
