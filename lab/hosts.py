"""Hosts of the make-believe data centre and the interfaces that are mirrored.

As in AWS VPC Traffic Mirroring a mirror session belongs to one network interface: everything that enters or leaves
it is copied under the session's VNI. A packet between two mirrored interfaces is therefore seen twice.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from lab.frames import address_bytes, ethernet_head, vxlan_head

ROUTER_MAC = b"\x02\x00\x00\x00\x00\x01"
EPHEMERAL_FIRST, EPHEMERAL_LAST = 32768, 60999


class Interface:
    """One mirrored network interface: its VNI, the bytes before each mirrored IP packet, and what it has mirrored."""

    __slots__ = ("address", "entering", "ip_bytes", "leaving", "packets", "vni")

    def __init__(self, vni: int, mac: bytes, address: bytes) -> None:
        self.vni = vni
        self.address = address
        self.packets = 0
        self.ip_bytes = 0
        head = vxlan_head(vni)
        self.entering = {version: head + ethernet_head(mac, ROUTER_MAC, version) for version in (4, 6)}
        self.leaving = {version: head + ethernet_head(ROUTER_MAC, mac, version) for version in (4, 6)}


@dataclass(slots=True)
class Host:
    """A machine: its addresses, how far away it is, and its mirrored interface, if it has one."""

    name: str
    address4: bytes
    address6: bytes | None = None
    interface: Interface | None = None
    hops: int = 64
    has_timestamps: bool = True
    clock_offset_ms: int = 0
    next_port: int = EPHEMERAL_FIRST
    route: object = field(default=None, repr=False)

    def take_port(self) -> int:
        """The next ephemeral port; it comes round again after 28,232 connections."""
        port = self.next_port
        self.next_port = port + 1 if port < EPHEMERAL_LAST else EPHEMERAL_FIRST
        return port


def make_host(
    name: str, address4: str, rng: random.Random, address6: str | None = None, vni: int | None = None
) -> Host:
    """A host with random clock and first port; `vni` makes its interface a mirrored one."""
    packed = address_bytes(address4)
    mac = b"\x02\x0a" + packed
    return Host(
        name=name,
        address4=packed,
        address6=address_bytes(address6) if address6 else None,
        interface=Interface(vni, mac, packed) if vni is not None else None,
        clock_offset_ms=rng.getrandbits(31),
        next_port=rng.randint(EPHEMERAL_FIRST, EPHEMERAL_LAST),
    )
