"""Every link type, tag and label in front of the same packet."""

from __future__ import annotations

import pytest

from tests.wire.packets.decoding import counted, decode
from tests.wire.packets.frames import ethernet, ipv4, ipv6, mpls, pppoe, tcp, vlan
from wire.packets.layout import LINK_TYPES

FOUR = ipv4(tcp(b"hello"), 6)
SIX = ipv6(tcp(b"hello"), 6)
SLL = bytes(14)
SLL2_TAIL = bytes(18)

FRAMES = {
    "ethernet": (1, ethernet(FOUR), -1),
    "ethernet ipv6": (1, ethernet(SIX, 0x86DD), -1),
    "802.1Q": (1, ethernet(vlan(FOUR, 0x6005), 0x8100), 5),
    "QinQ: the outer tag": (1, ethernet(vlan(vlan(FOUR, 6), 7, 0x8100), 0x88A8), 7),
    "old QinQ": (1, ethernet(vlan(vlan(FOUR, 6), 7, 0x8100), 0x9100), 7),
    "priority tag": (1, ethernet(vlan(FOUR, 0x2000), 0x8100), 0),
    "SNAP": (1, ethernet(bytes.fromhex("aaaa03000000 0800") + FOUR, len(FOUR) + 8), -1),
    "MPLS": (1, ethernet(mpls(FOUR, 16, 17), 0x8847), -1),
    "MPLS ipv6": (1, ethernet(mpls(SIX, 16), 0x8848), -1),
    "pseudo-wire": (1, ethernet(mpls(bytes(4) + ethernet(FOUR), 16), 0x8847), -1),
    "pseudo-wire without control word": (1, ethernet(mpls(ethernet(FOUR), 16), 0x8847), -1),
    "PPPoE in QinQ": (1, ethernet(vlan(vlan(pppoe(SIX, 0x57), 6, 0x8864), 7, 0x8100), 0x88A8), 7),
    "raw 12": (12, FOUR, -1),
    "raw 14": (14, SIX, -1),
    "raw 101": (101, SIX, -1),
    "raw ipv4": (228, FOUR, -1),
    "raw ipv6": (229, SIX, -1),
    "cooked": (113, SLL + b"\x08\x00" + FOUR, -1),
    "cooked ipv6": (113, SLL + b"\x86\xdd" + SIX, -1),
    "cooked v2": (276, b"\x08\x00" + SLL2_TAIL + FOUR, -1),
    "cooked v2, tagged": (276, b"\x81\x00" + SLL2_TAIL + vlan(SIX, 9, 0x86DD), 9),
    "null, little-endian": (0, b"\x02\0\0\0" + FOUR, -1),
    "null, big-endian": (0, b"\0\0\0\x02" + FOUR, -1),
    "null ipv6, Linux": (0, b"\x0a\0\0\0" + SIX, -1),
    "null ipv6, macOS": (0, b"\x1e\0\0\0" + SIX, -1),
    "loop": (108, b"\0\0\0\x1c" + SIX, -1),
    "PPP": (9, b"\xff\x03\x00\x21" + FOUR, -1),
    "PPP, compressed": (9, b"\x21" + FOUR, -1),
    "PPP in HDLC": (50, b"\xff\x03\x00\x57" + SIX, -1),
    "PPP file of Cisco HDLC": (9, b"\x0f\x00\x08\x00" + FOUR, -1),
    "Cisco HDLC": (104, b"\x8f\x00\x86\xdd" + SIX, -1),
}


@pytest.mark.parametrize("name", FRAMES)
def test_it_finds_the_packet_behind(name: str) -> None:
    link_type, frame, tag = FRAMES[name]
    (row,) = decode(frame, link_type=link_type)
    assert (row["error"], row["version"], row["protocol"]) == (0, 4 if FOUR in frame else 6, 6)
    assert (row["payload_length"], row["dst_port"], row["vlan"], row["complete"]) == (5, 80, tag, 1)
    assert frame[row["payload_offset"] :] == b"hello"


@pytest.mark.parametrize("name", FRAMES)
def test_it_counts_every_cut_in_a_header_and_never_more(name: str) -> None:
    link_type, frame, _ = FRAMES[name]
    for size in range(len(frame) - 5):
        (row,) = decode(frame[:size], link_type=link_type, wire_lengths=[len(frame)])
        assert row["complete"] == 0 or row["version"] == 0
        assert sum(counted(frame[:size], link_type=link_type, wire_lengths=[len(frame)]).values()) <= 1


@pytest.mark.parametrize(
    "frame",
    [
        ethernet(bytes(28), 0x0806),
        ethernet(b"\x42\x42\x03" + bytes(35), 38),
        ethernet(bytes.fromhex("1109 0007 0004 c021") + bytes(20), 0x8863),
        ethernet(pppoe(bytes(20), 0xC021), 0x8864),
    ],
    ids=["ARP", "spanning tree", "PPPoE discovery", "LCP"],
)
def test_it_takes_what_is_not_ip_for_no_fault(frame: bytes) -> None:
    (row,) = decode(frame)
    assert (row["error"], row["version"], row["complete"]) == (0, 0, 0)
    assert counted(frame) == {}


def test_it_gives_up_on_endless_tags() -> None:
    frame = FOUR
    for tag in range(40):
        frame = vlan(frame, tag, 0x0800 if tag == 0 else 0x8100)
    (row,) = decode(ethernet(frame, 0x8100))
    assert row["version"] == 0


def test_it_finds_ipv6_under_the_type_of_ipv4() -> None:
    (row,) = decode(ethernet(SIX))
    assert (row["version"], row["error"]) == (6, 0)


def test_it_knows_a_name_for_each_link_type_it_decodes() -> None:
    assert {link_type for link_type, _, _ in FRAMES.values()} == set(LINK_TYPES)
