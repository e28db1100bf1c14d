"""Frames in words for the capture tests: Ethernet, tags, IPv4 and IPv6, TCP and UDP, tunnels around them."""

from __future__ import annotations

import struct
from ipaddress import ip_address

from wire.packets.layout import ICMP, ICMPV6, TCP, UDP

MACS = b"\x02\0\0\0\0\x01\x02\0\0\0\0\x02"


def ethernet(packet: bytes, tags: tuple[tuple[int, int], ...] = ()) -> bytes:
    """`tags` are (Ethertype, VLAN), the outer first."""
    kind = 0x0800 if packet[0] >> 4 == 4 else 0x86DD
    return MACS + b"".join(struct.pack(">HH", *tag) for tag in tags) + struct.pack(">H", kind) + packet


def ip(source: str, target: str, protocol: int, body: bytes, *, fragment: int = 0) -> bytes:
    """`fragment` is the flags and offset word of IPv4."""
    a, b = ip_address(source).packed, ip_address(target).packed
    if len(a) == 16:
        return struct.pack(">IHBB", 0x60000000, len(body), protocol, 64) + a + b + body
    return struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(body), 7, fragment, 64, protocol, 0) + a + b + body


def tcp(source: str, target: str, ports: tuple[int, int], length: int = 20, **more: int) -> bytes:
    body = struct.pack(">HHIIBBHHH", *ports, 1, 1, 0x50, 0x10, 1000, 0, 0) + bytes(length)
    return ip(source, target, TCP, body, **more)


def udp(source: str, target: str, ports: tuple[int, int], body: bytes = bytes(20), **more: int) -> bytes:
    return ip(source, target, UDP, struct.pack(">HHHH", *ports, 8 + len(body), 0) + body, **more)


def icmp_error(router: str, target: str, about: bytes) -> bytes:
    """Destination unreachable, quoting the beginning of a packet."""
    is_ipv4 = about[0] >> 4 == 4
    head = struct.pack(">BBHI", 3 if is_ipv4 else 1, 1, 0, 0)
    return ip(router, target, ICMP if is_ipv4 else ICMPV6, head + about[:68])


def vxlan(vni: int, frame: bytes, source: str = "192.0.2.1", port: int = 50000) -> bytes:
    """A whole frame; the source port differs by direction, as real tunnels' does."""
    body = struct.pack(">II", 0x08000000, vni << 8) + frame
    return ethernet(udp(source, "192.0.2.9" if ":" not in source else "2001:db8::9", (port, 4789), body))


def geneve(vni: int, inner: bytes, options: bytes = b"", kind: int = 0x6558, port: int = 50000) -> bytes:
    body = struct.pack(">BBHI", len(options) // 4, 0, kind, vni << 8) + options + inner
    return ethernet(udp("192.0.2.1", "192.0.2.9", (port, 6081), body))
