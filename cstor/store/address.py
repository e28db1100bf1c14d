"""Addresses in their three forms: two int64 in memory, text for people, 16 bytes for ranges. IPv4 is ::ffff:a.b.c.d."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from ipaddress import ip_address, ip_network

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
V4_PREFIX = b"\0" * 10 + b"\xff\xff"
V4_NET_BITS, V6_NET_BITS = 24, 64  # of client_net and server_net


def to_bytes(hi: Ints, lo: Ints) -> list[bytes]:
    """16 bytes of each address."""
    raw = np.stack([hi, lo], axis=1).astype(">i8").tobytes()
    return [raw[start : start + 16] for start in range(0, len(raw), 16)]


def from_bytes(addresses: Sequence[bytes]) -> Ints:
    """[n, 2] int64 out of 16-byte addresses; empty ones are 0."""
    raw = b"".join(bytes(address) or b"\0" * 16 for address in addresses)
    return np.frombuffer(raw, ">i8").reshape(-1, 2).astype(np.int64)


def to_text(address: bytes) -> str:
    """As people write it: dotted quad, or RFC 5952."""
    if address[:12] == V4_PREFIX:
        return socket.inet_ntop(socket.AF_INET, address[12:])
    return socket.inet_ntop(socket.AF_INET6, address)


def from_text(text: str) -> bytes:
    """16 bytes; ValueError if it is no address."""
    address = ip_address(text)
    return V4_PREFIX + address.packed if address.version == 4 else address.packed


def net_text(address: bytes) -> str:
    """The /24 or /64 around an address, in prefix notation."""
    if address[:12] == V4_PREFIX:
        return f"{socket.inet_ntop(socket.AF_INET, address[12:15] + bytes(1))}/{V4_NET_BITS}"
    return f"{socket.inet_ntop(socket.AF_INET6, address[:8] + bytes(8))}/{V6_NET_BITS}"


def net_from_text(text: str) -> bytes:
    """First address of a /24 or /64; ValueError for anything else."""
    net = ip_network(text, strict=False)
    wanted = V4_NET_BITS if net.version == 4 else V6_NET_BITS
    if net.prefixlen != wanted:
        raise ValueError(f"{text} is no /{wanted}")
    packed = net.network_address.packed
    return V4_PREFIX + packed if net.version == 4 else packed


def net_of(hi: Ints, lo: Ints) -> tuple[Ints, Ints]:
    """The first address of each one's /24 or /64."""
    is_v4 = (hi == 0) & (lo >> 32 == 0xFFFF)
    return hi, np.where(is_v4, lo & ~np.int64(0xFF), 0)
