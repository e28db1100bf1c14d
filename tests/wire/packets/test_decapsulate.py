"""Tunnels: what is inside, whose VNI it is, and where decapsulation stops."""

from __future__ import annotations

import struct

import pytest

from tests.wire.packets.decoding import address, counted, decode
from tests.wire.packets.frames import (
    ethernet,
    geneve,
    geneve_option,
    gre,
    gtp,
    icmp,
    ipv4,
    ipv6,
    mirrored,
    mpls,
    tcp,
    udp,
    vlan,
    vxlan,
)

INNER = ipv4(tcp(b"hello", 1111, 443), 6, "192.168.0.1", "192.168.0.2")
INNER6 = ipv6(tcp(b"hello", 1111, 443), 6)
FRAME = ethernet(INNER)
TEREDO_AUTH = b"\x00\x01\x02\x03" + b"id" + b"key" + bytes(9)
TEREDO_ORIGIN = bytes(8)


def on_udp(payload: bytes, port: int) -> bytes:
    return ethernet(ipv4(udp(payload, 60000, port), 17))


def on_ip(payload: bytes, protocol: int) -> bytes:
    return ethernet(ipv4(payload, protocol))


TUNNELS = {
    "VXLAN": (on_udp(vxlan(FRAME, 5), 4789), 5),
    "VXLAN, VNI 0": (on_udp(vxlan(FRAME, 0), 4789), 0),
    "VXLAN on IPv6": (ethernet(ipv6(udp(vxlan(FRAME, 5), 1, 4789), 17), 0x86DD), 5),
    "VXLAN-GPE": (on_udp(struct.pack(">II", 0x0C000001, 6 << 8) + INNER, 4790), 6),
    "GENEVE": (on_udp(geneve(FRAME, 9), 6081), 9),
    "GENEVE with IP": (on_udp(geneve(INNER6, 9, ethertype=0x86DD), 6081), 9),
    "GENEVE with options": (on_udp(geneve(FRAME, 9, geneve_option(0x0101, 1, bytes(8))), 6081), 9),
    "GRE": (on_ip(gre(INNER, 0x0800), 47), -1),
    "GRE with all fields": (on_ip(gre(INNER6, 0x86DD, 0xB000), 47), -1),
    "bridged GRE": (on_ip(gre(FRAME, 0x6558, 0x2000), 47), -1),
    "MPLS in GRE": (on_ip(gre(mpls(INNER, 16), 0x8847), 47), -1),
    "ERSPAN I": (on_ip(gre(FRAME, 0x88BE), 47), -1),
    "ERSPAN II": (on_ip(gre(b"\x10" + bytes(7) + FRAME, 0x88BE, 0x1000), 47), -1),
    "ERSPAN III": (on_ip(gre(b"\x20" + bytes(11) + FRAME, 0x22EB, 0x1000), 47), -1),
    "ERSPAN III with subheader": (on_ip(gre(b"\x20" + bytes(10) + b"\x01" + bytes(8) + FRAME, 0x22EB, 0x1000), 47), -1),
    "PPTP": (on_ip(struct.pack(">HHHHII", 0x3081, 0x880B, 99, 1, 1, 1) + b"\xff\x03\x00\x21" + INNER, 47), -1),
    "IPIP": (on_ip(INNER, 4), -1),
    "6in4": (on_ip(INNER6, 41), -1),
    "4in6": (ethernet(ipv6(INNER, 4), 0x86DD), -1),
    "EtherIP": (on_ip(b"\x30\x00" + FRAME, 97), -1),
    "MPLS in IP": (on_ip(mpls(INNER, 16), 137), -1),
    "MPLS in UDP": (on_udp(mpls(INNER, 16), 6635), -1),
    "GTP-U": (on_udp(gtp(INNER), 2152), -1),
    "GTP-U with extension": (
        on_udp(struct.pack(">BBHIHBB", 0x34, 0xFF, 60, 5, 0, 0, 0x85) + b"\x01\x00\x00\x00" + INNER, 2152),
        -1,
    ),
    "Teredo": (on_udp(INNER6, 3544), -1),
    "Teredo, wrapped": (on_udp(TEREDO_AUTH + TEREDO_ORIGIN + INNER6, 3544), -1),
}


@pytest.mark.parametrize("name", TUNNELS)
def test_it_finds_the_packet_inside(name: str) -> None:
    frame, vni = TUNNELS[name]
    (row,) = decode(frame)
    assert (row["error"], row["tunnels"], row["vni"], row["complete"]) == (0, 1, vni, 1)
    assert (row["src_port"], row["dst_port"], row["payload_length"]) == (1111, 443, 5)
    assert frame[row["payload_offset"] :] == b"hello"
    assert row["ip_length"] == (len(INNER) if row["version"] == 4 else len(INNER6))


@pytest.mark.parametrize("name", TUNNELS)
def test_it_counts_a_frame_cut_anywhere_at_most_once(name: str) -> None:
    frame, _ = TUNNELS[name]
    for size in range(len(frame)):
        assert sum(counted(frame[:size], wire_lengths=[len(frame)]).values()) <= 1


def test_it_takes_a_load_balancers_vni_only_for_want_of_the_mirrors() -> None:
    aws = geneve_option(0x0108, 1, bytes(8))
    inside, alone, other, twice = decode(
        on_udp(geneve(mirrored(FRAME, 77), 0, aws), 6081),
        on_udp(geneve(FRAME, 3, aws), 6081),
        on_udp(geneve(mirrored(FRAME, 77), 3), 6081),
        mirrored(mirrored(FRAME, 78), 79),
    )
    assert [row["vni"] for row in (inside, alone, other, twice)] == [77, 3, 3, 79]
    assert [row["tunnels"] for row in (inside, alone, other, twice)] == [2, 1, 2, 2]


def test_it_reads_the_brokers_receive_time() -> None:
    ours = geneve_option(0xFF01, 1, struct.pack(">q", 1_700_000_000_123_456_789))
    (row,) = decode(on_udp(geneve(FRAME, 3, geneve_option(0xFF01, 2, bytes(4)) + ours), 6081))
    assert row["peer_time_ns"] == 1_700_000_000_123_456_789


def test_it_keeps_the_tag_outside_the_tunnel() -> None:
    tagged = ethernet(vlan(INNER, 9), 0x8100)
    outer = ethernet(vlan(ipv4(udp(vxlan(tagged, 1), 1, 4789), 17), 8), 0x8100)
    inside, outside = decode(mirrored(tagged), outer)
    assert (inside["vlan"], outside["vlan"]) == (-1, 8)


def test_it_stops_at_four_layers() -> None:
    frame = ipv4(tcp(b"hello"), 6)
    for _ in range(5):
        frame = ipv4(frame, 4)
    (row,) = decode(ethernet(frame))
    assert (row["tunnels"], row["protocol"], row["error"], row["complete"]) == (4, 4, 0, 1)
    assert counted(ethernet(frame)) == {"too_many_tunnels": 1}


def test_it_forgets_the_ports_outside() -> None:
    (row,) = decode(mirrored(ethernet(ipv4(icmp(), 1))))
    assert (row["protocol"], row["src_port"], row["dst_port"], row["icmp_type"]) == (1, 0, 0, 8)


def test_it_reports_the_datagram_itself_when_nothing_is_inside() -> None:
    arp, plain, ended = decode(
        mirrored(ethernet(bytes(28), 0x0806)), on_udp(b"\x00" * 40, 4789), on_udp(gtp(b"", 1), 2152)
    )
    for row in (arp, plain, ended):
        assert (row["error"], row["protocol"], row["tunnels"], row["complete"]) == (0, 17, 0, 1)
    assert (arp["vni"], plain["vni"], address(arp, "dst")) == (7, -1, "172.16.0.2")


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (on_udp(geneve(b"", 3, bytes(8))[:12], 6081), "bad_tunnel"),
        (on_udp(geneve(FRAME, 3, b"\x01\x01\x01\x1f" + bytes(4)), 6081), "bad_tunnel"),
        (on_udp(struct.pack(">BBHIHBB", 0x34, 0xFF, 60, 5, 0, 0, 0x85) + bytes(8), 2152), "bad_tunnel"),
        (on_ip(b"\x00\x00", 47), "bad_tunnel"),
        (mirrored(ethernet(b"\x45" + bytes(5))), "cut_header"),
        (mirrored(ethernet(b"\x35" + INNER[1:])), "bad_ip_version"),
    ],
)
def test_it_counts_a_broken_inside_and_keeps_the_outside(frame: bytes, reason: str) -> None:
    (row,) = decode(frame)
    assert counted(frame) == {reason: 1}
    assert (row["version"], row["complete"], row["ip_length"]) == (4, 0, len(frame) - 14)
