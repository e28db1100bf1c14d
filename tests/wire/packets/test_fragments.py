"""Datagrams in pieces: any order, any size, in tunnels, and the bounds of the table."""

from __future__ import annotations

import random

import pytest

from tests.wire.packets.decoding import decode
from tests.wire.packets.frames import (
    SYN,
    ah,
    ethernet,
    extension,
    fragment_header,
    icmp,
    ipv4,
    ipv6,
    mirrored,
    tcp,
    udp,
    vxlan,
)
from wire.packets.fragments import WAYS, new_fragment_table

SECOND = 1_000_000_000


def pieces4(payload: bytes, protocol: int, size: int, ident: int = 5, src: str = "10.0.0.1") -> list[bytes]:
    """The payload of one datagram as IPv4 fragments."""
    found = []
    for at in range(0, len(payload), size):
        more = 0x2000 if at + size < len(payload) else 0
        found.append(ipv4(payload[at : at + size], protocol, src, ident=ident, fragment=more | at >> 3))
    return found


def pieces6(payload: bytes, following: int, size: int) -> list[bytes]:
    return [
        ipv6(fragment_header(payload[at : at + size], following, at, at + size < len(payload)), 44)
        for at in range(0, len(payload), size)
    ]


SEGMENT = tcp(b"x" * 3000, 1234, 80, seq=77, options=b"\x02\x04\x05\xb4\x01\x01\x08\x0a" + bytes(8))


@pytest.mark.parametrize("size", [8, 16, 24, 1480, 2000])
@pytest.mark.parametrize("order", ["forward", "backward", "shuffled"])
@pytest.mark.parametrize("version", [4, 6])
def test_it_completes_a_segment_once(size: int, order: str, version: int) -> None:
    packets = pieces4(SEGMENT, 6, size) if version == 4 else pieces6(SEGMENT, 6, size)
    frames = [ethernet(packet, 0x0800 if version == 4 else 0x86DD) for packet in packets]
    if order != "forward":
        frames = frames[::-1] if order == "backward" else random.Random(size).sample(frames, len(frames))
    rows = decode(*frames)
    assert rows["complete"].tolist() == [0] * (len(frames) - 1) + [1]
    assert rows["ip_length"].tolist() == [len(frame) - 14 for frame in frames]
    last = rows[-1]
    fields = ("src_port", "dst_port", "seq", "payload_length", "option_mss", "ts_val", "protocol", "error")
    assert [last[name] for name in fields] == [1234, 80, 77, 3000, 1460, 0, 6, 0]
    assert (last["l4_offset"], last["payload_offset"]) == (-1, -1)
    assert rows["payload_length"][:-1].tolist() == [0] * (len(frames) - 1)


def test_it_names_the_conversation_once_the_first_fragment_is_there() -> None:
    first, middle, last = (ethernet(packet) for packet in pieces4(SEGMENT, 6, 1480))
    rows = decode(last, first, middle)
    assert rows["dst_port"].tolist() == [0, 80, 80]
    assert rows["fragment"].tolist() == [3, 1, 2]
    assert rows["fragment_offset"].tolist() == [2960, 0, 1480]


def test_it_looks_behind_headers_of_a_fragmented_packet() -> None:
    six = [ethernet(packet, 0x86DD) for packet in pieces6(extension(tcp(b"x" * 100, flags=SYN), 6, 3), 60, 16)]
    four = [ethernet(packet) for packet in pieces4(ah(udp(b"x" * 100), 17), 51, 24)]
    assert decode(*six)[-1][["protocol", "dst_port", "payload_length"]].tolist() == (6, 80, 100)
    assert decode(*four)[-1][["protocol", "dst_port", "payload_length"]].tolist() == (17, 53, 100)


def test_it_opens_a_tunnel_whose_datagram_was_fragmented() -> None:
    inner = ethernet(ipv4(tcp(b"x" * 1400, 1234, 443), 6))
    frames = [ethernet(packet) for packet in pieces4(udp(vxlan(inner, 42), 9, 4789), 17, 1000)]
    first, last = decode(*frames)
    assert (first["complete"], first["dst_port"], first["ip_length"]) == (0, 4789, 1020)
    assert (last["complete"], last["dst_port"], last["vni"], last["tunnels"]) == (1, 443, 42, 1)
    assert (last["ip_length"], last["payload_length"], last["fragment"]) == (len(inner) - 14, 1400, 0)


def test_it_completes_fragments_inside_a_tunnel() -> None:
    frames = [mirrored(ethernet(packet)) for packet in pieces4(SEGMENT, 6, 1480)]
    rows = decode(*frames)
    assert rows["complete"].tolist() == [0, 0, 1]
    assert (rows[-1]["vni"], rows[-1]["payload_length"]) == (7, 3000)


def test_it_keeps_copies_under_two_vnis_apart() -> None:
    pieces = [ethernet(packet) for packet in pieces4(SEGMENT, 6, 1480)]
    rows = decode(*(mirrored(piece, vni) for piece in pieces for vni in (1, 2)))
    assert rows["complete"].tolist() == [0, 0, 0, 0, 1, 1]


def test_it_analyses_fragmented_icmp() -> None:
    rows = decode(*(ethernet(packet) for packet in pieces4(icmp(b"x" * 2000), 1, 1480)))
    assert (rows[-1]["icmp_type"], rows[-1]["payload_length"]) == (8, 2000)


def test_it_counts_repeats_and_does_not_complete_on_them() -> None:
    table = new_fragment_table(64)
    first, middle, last = (ethernet(packet) for packet in pieces4(SEGMENT, 6, 1480))
    rows = decode(first, first, middle, middle, last, fragments=table)
    assert rows["complete"].tolist() == [0, 0, 0, 0, 1]
    assert table.statistics()["fragments_repeated"] == 2
    assert table.statistics()["reassembled"] == 1


def test_it_starts_anew_after_half_a_minute() -> None:
    table = new_fragment_table(64)
    first, middle, last = (ethernet(packet) for packet in pieces4(SEGMENT, 6, 1480))
    rows = decode(
        first, middle, last, first, middle, times_ns=[0, 1, 31 * SECOND, 32 * SECOND, 33 * SECOND], fragments=table
    )
    assert rows["complete"].tolist() == [0, 0, 0, 0, 1]
    assert table.statistics()["fragments_expired"] == 1


def test_it_gives_up_the_oldest_when_it_is_full() -> None:
    table = new_fragment_table(1)
    firsts = [ethernet(pieces4(SEGMENT, 6, 1480, ident)[0]) for ident in range(WAYS + 1)]
    rest = [ethernet(packet) for ident in range(WAYS + 1) for packet in pieces4(SEGMENT, 6, 1480, ident)[1:]]
    decode(*firsts, fragments=table)
    assert table.statistics()["fragments_evicted"] == 1
    rows = decode(*rest[2:], times_ns=[100_000] * (len(rest) - 2), fragments=table)
    assert rows["complete"].sum() == WAYS


def test_it_reports_a_transport_header_that_was_not_captured() -> None:
    first, middle, last = (ethernet(packet) for packet in pieces4(SEGMENT, 6, 1480))
    rows = decode(first[:40], middle, last, wire_lengths=[len(first), len(middle), len(last)])
    assert rows["error"].tolist() == [0, 0, 1]
    assert rows["complete"].tolist() == [0, 0, 0]
