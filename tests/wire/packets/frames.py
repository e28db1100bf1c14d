"""Packets in words: byte strings of headers that nest, for tests of wire.packets and of whoever reads its batches."""

from __future__ import annotations

import ipaddress
import struct

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16


def ethernet(payload: bytes, ethertype: int = 0x0800) -> bytes:
    return bytes.fromhex("020000000002 020000000001") + struct.pack(">H", ethertype) + payload


def vlan(payload: bytes, tag: int, ethertype: int = 0x0800) -> bytes:
    """What follows a type of 0x8100 or 0x88a8."""
    return struct.pack(">HH", tag, ethertype) + payload


def mpls(payload: bytes, *labels: int) -> bytes:
    stack = [label << 12 | (index == len(labels) - 1) << 8 | 64 for index, label in enumerate(labels)]
    return struct.pack(f">{len(stack)}I", *stack) + payload


def pppoe(payload: bytes, protocol: int = 0x0021) -> bytes:
    return struct.pack(">BBHHH", 0x11, 0, 7, len(payload) + 2, protocol) + payload


def ipv4(
    payload: bytes,
    protocol: int,
    src: str = "10.0.0.1",
    dst: str = "10.0.0.2",
    options: bytes = b"",
    ident: int = 1,
    fragment: int = 0,
    length: int | None = None,
) -> bytes:
    """`fragment` is the whole 16-bit word: 0x2000 more fragments, then the offset in units of 8 bytes."""
    header = 20 + len(options)
    total = header + len(payload) if length is None else length
    fixed = struct.pack(">BBHHHBBH", 0x40 | header >> 2, 0, total, ident, fragment, 64, protocol, 0)
    return fixed + ipaddress.ip_address(src).packed + ipaddress.ip_address(dst).packed + options + payload


def ipv6(payload: bytes, following: int, src: str = "2001:db8::1", dst: str = "2001:db8::2", length: int = -1) -> bytes:
    size = len(payload) if length < 0 else length
    fixed = struct.pack(">IHBB", 0x60000000, size, following, 64)
    return fixed + ipaddress.ip_address(src).packed + ipaddress.ip_address(dst).packed + payload


def extension(payload: bytes, following: int, units: int = 0) -> bytes:
    """Hop-by-hop, routing or destination options: 8 * (units + 1) bytes."""
    return bytes((following, units)) + b"\x01\x04" + bytes(4 + 8 * units) + payload


def fragment_header(payload: bytes, following: int, offset: int, more: bool, ident: int = 99) -> bytes:
    return struct.pack(">BBHI", following, 0, offset | more, ident) + payload


def ah(payload: bytes, following: int) -> bytes:
    return struct.pack(">BBHII", following, 4, 0, 1, 1) + bytes(12) + payload


def tcp(
    payload: bytes = b"",
    sport: int = 40000,
    dport: int = 80,
    seq: int = 1,
    ack: int = 0,
    flags: int = ACK,
    window: int = 1000,
    options: bytes = b"",
) -> bytes:
    options += bytes(-len(options) % 4)
    header = 20 + len(options)
    return struct.pack(">HHIIBBHHH", sport, dport, seq, ack, header << 2, flags, window, 0, 0) + options + payload


def udp(payload: bytes = b"", sport: int = 5353, dport: int = 53, length: int | None = None) -> bytes:
    return struct.pack(">HHHH", sport, dport, 8 + len(payload) if length is None else length, 0) + payload


def icmp(payload: bytes = b"", kind: int = 8, code: int = 0) -> bytes:
    return struct.pack(">BBHI", kind, code, 0, 0) + payload


def vxlan(payload: bytes, vni: int) -> bytes:
    return struct.pack(">II", 0x08000000, vni << 8) + payload


def geneve(payload: bytes, vni: int, options: bytes = b"", ethertype: int = 0x6558) -> bytes:
    return struct.pack(">BBHI", len(options) >> 2, 0, ethertype, vni << 8) + options + payload


def geneve_option(option_class: int, kind: int, data: bytes) -> bytes:
    return struct.pack(">HBB", option_class, kind, len(data) >> 2) + data


def gre(payload: bytes, ethertype: int, flags: int = 0) -> bytes:
    fields = bin(flags & 0xB000).count("1")
    return struct.pack(">HH", flags, ethertype) + bytes(4 * fields) + payload


def gtp(payload: bytes, kind: int = 0xFF) -> bytes:
    return struct.pack(">BBHI", 0x30, kind, len(payload), 5) + payload


def mirrored(frame: bytes, vni: int = 7) -> bytes:
    """A frame as a cloud's mirror sends it."""
    return ethernet(ipv4(udp(vxlan(frame, vni), sport=65000, dport=4789), 17, "172.16.0.1", "172.16.0.2"))
