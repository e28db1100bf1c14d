"""Mirrored packets in words, and the sockets at both ends of a broker."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address

from cvu.broker import Broker

ETHERNET = bytes.fromhex("020000000001020000000002")
SO_TIMESTAMPNS = 35


@dataclass(frozen=True)
class End:
    """An address and a port."""

    address: str
    port: int


def tcp(source: End, target: End, payload: bytes = b"", flags: int = 0x10) -> bytes:
    """A frame with a TCP segment; checksums are zero, as mirrors leave them."""
    head = struct.pack("!HHIIBBHHH", source.port, target.port, 1, 1, 0x50, flags, 512, 0, 0)
    return ip(source.address, target.address, 6, head + payload)


def udp(source: End, target: End, payload: bytes = b"") -> bytes:
    head = struct.pack("!HHHH", source.port, target.port, 8 + len(payload), 0)
    return ip(source.address, target.address, 17, head + payload)


def ip(source: str, target: str, protocol: int, body: bytes, fragment: int = 0, identification: int = 1) -> bytes:
    """An Ethernet frame with an IPv4 or IPv6 packet."""
    ends = ip_address(source).packed + ip_address(target).packed
    if len(ends) == 32:
        return ETHERNET + b"\x86\xdd" + struct.pack("!IHBB", 6 << 28, len(body), protocol, 64) + ends + body
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), identification, fragment, 64, protocol, 0)
    return ETHERNET + b"\x08\x00" + head + ends + body


def unreachable(router: str, quoted: bytes) -> bytes:
    """An ICMP error to the sender of the quoted frame."""
    packet = quoted[14:]
    return ip(router, str(ip_address(packet[12:16])), 1, struct.pack("!BBHI", 3, 1, 0, 0) + packet[:28])


def vxlan(frame: bytes, vni: int = 7) -> bytes:
    return struct.pack("!II", 0x08000000, vni << 8) + frame


class Tool:
    """Something that a broker feeds: a UDP socket, read with the kernel's receive times."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(0.3)
        self.to = f"127.0.0.1:{self.socket.getsockname()[1]}"

    def take(self) -> list[tuple[int, bytes]]:
        """What has arrived: (time, datagram)."""
        found = []
        self.socket.setblocking(False)
        while True:
            try:
                data, extra, _, _ = self.socket.recvmsg(65_536, 256)
            except BlockingIOError:
                return found
            seconds, nanoseconds = struct.unpack("qq", extra[0][2][:16])
            found.append((seconds * 1_000_000_000 + nanoseconds, data))


def carry(broker: Broker, frames: Iterable[bytes], vni: int = 7) -> None:
    """Send frames to a started broker and let it carry them."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for frame in frames:
            sender.sendto(vxlan(frame, vni), broker.address)
            deadline = time.monotonic() + 5
            while not broker.step(0.1):
                assert time.monotonic() < deadline, "the broker did not receive the packet"


def geneve(datagram: bytes) -> tuple[int, int, bytes]:
    """VNI, receive time and frame of what a cstor output sends."""
    assert datagram[:4] == bytes([3, 0, 0x65, 0x58])
    assert datagram[8:12] == bytes([0xFF, 0x01, 0x01, 2])
    return int.from_bytes(datagram[4:7], "big"), int.from_bytes(datagram[12:20], "big"), datagram[20:]
