"""Bytes of the lab's packets: IPv4 (RFC 791), IPv6 (8200), TCP (9293), UDP (768), ICMP (792), VXLAN (7348).

Every checksum is valid. The Internet checksum is a sum modulo 65535, and 2**16 is 1 modulo 65535: so a whole payload
read as one big integer, modulo 65535, is its checksum, without a loop over words.
"""

from __future__ import annotations

import struct
from ipaddress import IPv4Address, IPv6Address, ip_address

TCP, UDP, ICMP, ICMPV6 = 6, 17, 1, 58
DONT_FRAGMENT = 0x4000
VXLAN_HEAD = struct.Struct("!II")
VXLAN_VNI_IS_VALID = 0x08000000

_IPV4 = struct.Struct("!BBHHHBBH4s4s")
_IPV6 = struct.Struct("!IHBB16s16s")
_TCP = struct.Struct("!HHIIBBHHH")
_UDP = struct.Struct("!HHHH")
_ICMP = struct.Struct("!BBHI")


def word_sum(data: bytes) -> int:
    """What `data` adds to an Internet checksum (not yet modulo 65535)."""
    value = int.from_bytes(data, "big")
    return (value << 8 if len(data) & 1 else value) % 65535


def checksum(total: int) -> int:
    """The checksum over words that add up to `total`; never 0xFFFF (RFC 1624, section 3)."""
    return -total % 65535


class Packets:
    """Makes the IP packets of one sender to one receiver, with an IP identification that counts up."""

    __slots__ = ("_addresses", "destination", "flow_label", "hops", "identification", "source", "version")

    def __init__(self, source: bytes, destination: bytes, hops: int, identification: int, flow_label: int) -> None:
        self.source, self.destination = source, destination
        self.version = 4 if len(source) == 4 else 6
        self.hops = hops
        self.identification = identification
        self.flow_label = flow_label
        self._addresses = word_sum(source) + word_sum(destination)

    def ip(self, protocol: int, body: bytes) -> bytes:
        """The packet around a layer-4 body."""
        if self.version == 6:
            first = 0x60000000 | self.flow_label
            return _IPV6.pack(first, len(body), protocol, self.hops, self.source, self.destination) + body
        self.identification = (self.identification + 1) & 0xFFFF
        length = 20 + len(body)
        total = 0x4500 + length + self.identification + DONT_FRAGMENT + (self.hops << 8) + protocol + self._addresses
        return (
            _IPV4.pack(
                0x45, 0, length, self.identification, DONT_FRAGMENT, self.hops, protocol,
                checksum(total), self.source, self.destination,
            )
            + body
        )  # fmt: skip

    def tcp(
        self, ports: tuple[int, int], seq: int, ack: int, flags: int, window: int, options: bytes, payload: bytes
    ) -> bytes:
        """A TCP segment; `seq` and `ack` are already modulo 2**32, `options` a multiple of four bytes."""
        offset = (20 + len(options)) << 2
        total = (
            self._addresses + TCP + 20 + len(options) + len(payload)
            + ports[0] + ports[1] + seq + ack + (offset << 8) + flags + window
            + word_sum(options) + word_sum(payload)
        )  # fmt: skip
        head = _TCP.pack(ports[0], ports[1], seq, ack, offset, flags, window, checksum(total), 0)
        return self.ip(TCP, head + options + payload)

    def udp(self, ports: tuple[int, int], payload: bytes) -> bytes:
        length = 8 + len(payload)
        total = self._addresses + UDP + 2 * length + ports[0] + ports[1] + word_sum(payload)
        return self.ip(UDP, _UDP.pack(ports[0], ports[1], length, checksum(total) or 0xFFFF) + payload)

    def host_unreachable(self, quoted: bytes) -> bytes:
        """ICMP type 3 code 1 about the IPv4 packet `quoted`, of which the head and eight more bytes go back."""
        body = quoted[:28]
        total = 0x0301 + word_sum(body)
        return self.ip(ICMP, _ICMP.pack(3, 1, checksum(total), 0) + body)


def address_bytes(text: str) -> bytes:
    return ip_address(text).packed


def address_text(packed: bytes) -> str:
    return str(IPv4Address(packed) if len(packed) == 4 else IPv6Address(packed))


def vxlan_head(vni: int) -> bytes:
    return VXLAN_HEAD.pack(VXLAN_VNI_IS_VALID, vni << 8)


def ethernet_head(destination: bytes, source: bytes, version: int) -> bytes:
    return destination + source + (b"\x08\x00" if version == 4 else b"\x86\xdd")


def outer_head(source: bytes, target: bytes, source_port: int, target_port: int, payload_length: int) -> bytes:
    """Ethernet, IPv4 and UDP around a mirrored packet, as the mirror target's interface receives it."""
    udp = _UDP.pack(source_port, target_port, 8 + payload_length, 0)
    length = 28 + payload_length
    total = 0x4500 + length + DONT_FRAGMENT + (64 << 8) + UDP + word_sum(source) + word_sum(target)
    ip = _IPV4.pack(0x45, 0, length, 0, DONT_FRAGMENT, 64, UDP, checksum(total), source, target)
    return ethernet_head(b"\x02\x00\x00\x00\x08\x08", b"\x02\x00\x00\x00\x00\x01", 4) + ip + udp
