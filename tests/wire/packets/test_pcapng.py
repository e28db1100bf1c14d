"""pcapng files: sections, interfaces, clocks, the three packet blocks, and damage."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wire.packets.batch import batch_of
from wire.packets.pcap import CaptureError, open_capture
from wire.packets.pcapng import PcapngWriter

Block = Callable[[str], bytes]


def block(kind: int, body: Callable[[str], bytes]) -> Block:
    def build(order: str) -> bytes:
        content = body(order)
        content += bytes(-len(content) % 4)
        size = struct.pack(order + "I", len(content) + 12)
        return struct.pack(order + "I", kind) + size + content + size

    return build


def section(options: bytes = b"") -> Block:
    return block(0x0A0D0D0A, lambda o: struct.pack(o + "IHHq", 0x1A2B3C4D, 1, 0, -1) + options)


def interface(link_type: int = 1, resolution: int | None = None, offset_s: int | None = None, snap: int = 0) -> Block:
    def body(o: str) -> bytes:
        options = struct.pack(o + "HH", 2, 3) + b"eth\0"
        if resolution is not None:
            options += struct.pack(o + "HHB3x", 9, 1, resolution)
        if offset_s is not None:
            options += struct.pack(o + "HHq", 14, 8, offset_s)
        return struct.pack(o + "HHI", link_type, 0, snap) + options + struct.pack(o + "HH", 0, 0)

    return block(1, body)


def packet(frame: bytes, ticks: int = 0, number: int = 0, wire: int | None = None, claims: int | None = None) -> Block:
    here = len(frame) if claims is None else claims
    whole = len(frame) if wire is None else wire
    stamp = (ticks >> 32, ticks & 0xFFFFFFFF)
    padded = frame + bytes(-len(frame) % 4)
    return block(
        6, lambda o: struct.pack(o + "IIIII", number, *stamp, here, whole) + padded + struct.pack(o + "HH", 0, 0)
    )


def old_packet(frame: bytes, ticks: int, number: int = 0) -> Block:
    return block(
        2,
        lambda o: struct.pack(o + "HHIIII", number, 0, ticks >> 32, ticks & 0xFFFFFFFF, len(frame), len(frame)) + frame,
    )


def simple_packet(frame: bytes, wire: int) -> Block:
    return block(3, lambda o: struct.pack(o + "I", wire) + frame)


def read(data: bytes, folder: Path) -> list[tuple[int, bytes, int, int]]:
    path = folder / "file.pcapng"
    path.write_bytes(data)
    return [
        (int(batch.time_ns[i]), batch.frame(i), int(batch.wire_length[i]), batch.link_type)
        for batch in open_capture(path)
        for i in range(batch.packets)
    ]


def build(order: str, *blocks: Block) -> bytes:
    return b"".join(make(order) for make in blocks)


@pytest.mark.parametrize("order", ["<", ">"])
def test_it_reads_all_three_packet_blocks(order: str, tmp_path: Path) -> None:
    data = build(
        order,
        section(),
        interface(snap=6),
        packet(b"abc", 7, wire=99),
        old_packet(b"defg", 8),
        simple_packet(b"hijklm\0\0", 70),
    )
    assert read(data, tmp_path) == [(7000, b"abc", 99, 1), (8000, b"defg", 4, 1), (8000, b"hijklm", 70, 1)]


@pytest.mark.parametrize(
    ("resolution", "ticks", "expected"),
    [
        (None, 1_700_000_000_123_456, 1_700_000_000_123_456_000),
        (0, 1_700_000_000, 1_700_000_000_000_000_000),
        (3, 1_700_000_000_123, 1_700_000_000_123_000_000),
        (9, 1_700_000_000_123_456_789, 1_700_000_000_123_456_789),
        (12, 1_234_567_890_123_456, 1_234_567_890_123),
        (0x80, 77, 77_000_000_000),
        (0x8A, 1536, 1_500_000_000),
        (0x80 | 20, (1_700_000_000 << 20) + (1 << 19), 1_700_000_000_500_000_000),
        (0x80 | 33, (1_700_000_000 << 33) + (1 << 32), 1_700_000_000_500_000_000),
        (0x80 | 60, 3 << 59, 1_500_000_000),
        (0xFF, 2**62, 0),
    ],
)
def test_it_reads_any_clock(resolution: int | None, ticks: int, expected: int, tmp_path: Path) -> None:
    ((time_ns, *_),) = read(build("<", section(), interface(1, resolution), packet(b"", ticks)), tmp_path)
    assert time_ns == expected


def test_it_adds_the_interfaces_offset(tmp_path: Path) -> None:
    ((time_ns, *_),) = read(build(">", section(), interface(1, 6, 1_700_000_000), packet(b"", 5)), tmp_path)
    assert time_ns == 1_700_000_000_000_005_000


def test_it_keeps_the_order_over_interfaces_of_different_links(tmp_path: Path) -> None:
    both = (interface(1), interface(101, 9))
    data = build("<", section(), *both, packet(b"a", 1), packet(b"b", 2), packet(b"c", 3000, 1), packet(b"d", 4))
    found = read(data, tmp_path)
    assert [(frame, link) for _, frame, _, link in found] == [(b"a", 1), (b"b", 1), (b"c", 101), (b"d", 1)]
    assert [time_ns for time_ns, *_ in found] == [1000, 2000, 3000, 4000]
    assert len(list(open_capture(tmp_path / "file.pcapng"))) == 3


def test_it_starts_anew_with_each_section(tmp_path: Path) -> None:
    data = build("<", section(b"\x02\0\x04\0name\0\0\0\0"), interface(1), packet(b"a")) + build(
        ">", section(), interface(101), packet(b"b")
    )
    assert [(frame, link) for _, frame, _, link in read(data, tmp_path)] == [(b"a", 1), (b"b", 101)]
    with pytest.raises(CaptureError, match="no block has described"):
        read(data + build("<", section(), packet(b"c")), tmp_path)


def test_it_skips_other_blocks_and_counts_those_that_others_take_for_packets(tmp_path: Path) -> None:
    others = [block(kind, lambda o: bytes(5000)) for kind in (4, 5, 10, 0x0BAD, 0x40000BAD, 9, 77)]
    path = tmp_path / "file.pcapng"
    path.write_bytes(build("<", section(), *others, interface(), packet(b"a"), *others))
    reader = open_capture(path)
    assert sum(batch.packets for batch in reader) == 1
    assert reader.other_records == 6


def test_it_reads_a_block_longer_than_a_chunk(tmp_path: Path) -> None:
    data = build("<", section(), block(4, lambda o: bytes(3 << 20)), interface(), packet(b"a"))
    assert len(read(data, tmp_path)) == 1


@pytest.mark.parametrize(
    ("blocks", "reason", "partial"),
    [
        ([interface(147), packet(b"a")], "link type 147", False),
        ([interface(), packet(b"a"), packet(b"b", number=1)], "no block has described", True),
        ([interface(), packet(b"a"), packet(b"b", claims=9)], "more than its block holds", True),
        ([interface(), block(6, lambda o: bytes(8))], "makes no sense", False),
        ([block(1, lambda o: b"")], "too short", False),
    ],
)
def test_it_names_what_is_wrong(blocks: list[Block], reason: str, partial: bool, tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match=reason) as caught:
        read(build("<", section(), *blocks), tmp_path)
    assert caught.value.partial == partial


@pytest.mark.parametrize(
    ("head", "reason"),
    [
        (b"\x0a\x0d\x0d\x0a\x1c\0\0\0", "inside its section header"),
        (b"\x0a\x0d\x0d\x0a\x1c\0\0\0ABCD" + bytes(16), "no byte order"),
        (b"\x0a\x0d\x0d\x0a\x1d\0\0\0\x4d\x3c\x2b\x1a" + bytes(17), "makes no sense"),
        (b"\x0a\x0d\x0d\x0a\x1c\0\0\0\x4d\x3c\x2b\x1a\x02\0\0\0" + bytes(12), "version 2"),
        (b"\x0a\x0d\x0d\x0a\x1c\0\0\0\x4d\x3c\x2b\x1a\x01\0", "middle of a block"),
    ],
)
def test_it_refuses_a_broken_section(head: bytes, reason: str, tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match=reason) as caught:
        read(head, tmp_path)
    assert (caught.value.offset, caught.value.partial) == (0, False)


def test_it_hands_out_whole_packets_of_a_cut_file(tmp_path: Path) -> None:
    parts = [section(), interface(1, 9), packet(b"abc"), packet(b"defgh")]
    whole = build("<", *parts)
    ends = [len(build("<", *parts[: n + 1])) for n in range(4)]
    for size in range(ends[0] + 1, len(whole)):
        path = tmp_path / "cut"
        path.write_bytes(whole[:size])
        reader = open_capture(path)
        kept = sum(size >= end for end in ends[2:])
        if size in ends:
            list(reader)
        else:
            with pytest.raises(CaptureError, match="middle of a block"):
                list(reader)
        assert reader.packets == kept


def test_it_reads_what_it_wrote(tmp_path: Path) -> None:
    path = tmp_path / "written.pcapng"
    first = batch_of([b"a", b"bcd", b""], [1_700_000_000_123_456_789, 2, 3], [1, 1500, 0])
    second = batch_of([b"e" * 333], [4], None, 101)
    with PcapngWriter(path) as writer:
        for batch in (first, second, first):
            writer.write(batch)
        with pytest.raises(ValueError, match="not known"):
            writer.write(batch_of([b""], link_type=147))
    assert (writer.packets, writer.bytes_written) == (7, path.stat().st_size)
    a = [(1_700_000_000_123_456_789, b"a", 1, 1), (2, b"bcd", 1500, 1), (3, b"", 0, 1)]
    assert read(path.read_bytes(), tmp_path) == [*a, (4, b"e" * 333, 333, 101), *a]


SAMPLE = build("<", section(), interface(), packet(b"abc", 5), packet(b"defgh", 6), simple_packet(b"abcd", 4))


@given(st.data())
@settings(max_examples=400, deadline=None)
def test_it_survives_any_file(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    damaged = bytearray(SAMPLE)
    for _ in range(data.draw(st.integers(0, 4))):
        damaged[data.draw(st.integers(4, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    content = bytes(damaged[: data.draw(st.integers(0, len(damaged)))]) + data.draw(st.binary(max_size=40))
    found, end = [], 0
    try:
        found = read(content, tmp_path_factory.mktemp("fuzz"))
    except CaptureError as error:
        end = error.offset
    assert 0 <= end <= len(content)
    assert all(len(frame) <= len(content) for _, frame, _, _ in found)
