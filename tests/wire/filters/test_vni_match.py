"""`vni N` finds every layer's network: VXLAN inside GENEVE, as gateway load balancers deliver a mirror session."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from wire.filters.vni_match import has_vni
from wire.packets.batch import batch_of
from wire.packets.decode import decode_batch
from wire.packets.fragments import new_fragment_table
from wire.packets.layout import new_error_counters, new_packets

MACS = bytes(12)


def ip(protocol: int, payload: bytes) -> bytes:
    head = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 1, 0, 64, protocol, 0, b"\x0a\0\0\1", b"\x0a\0\0\2")
    return head + payload


def ethernet(payload: bytes) -> bytes:
    return MACS + b"\x08\x00" + payload


def udp(port: int, payload: bytes) -> bytes:
    return ip(17, struct.pack(">HHHH", 40000, port, 8 + len(payload), 0) + payload)


def vxlan(vni: int, frame: bytes) -> bytes:
    return udp(4789, struct.pack(">II", 0x08000000, vni << 8) + frame)


def geneve(vni: int, frame: bytes) -> bytes:
    return udp(6081, struct.pack(">BBHI", 0, 0, 0x6558, vni << 8) + frame)


TCP = ip(6, struct.pack(">HHIIBBHHH", 1, 2, 3, 4, 0x50, 2, 100, 0, 0))
DEEP = ethernet(geneve(5, ethernet(vxlan(7, ethernet(vxlan(9, ethernet(TCP)))))))
FRAMES = [DEEP, ethernet(vxlan(9, ethernet(TCP))), ethernet(TCP), ethernet(vxlan(0, ethernet(TCP))), DEEP[:60]]


@pytest.mark.parametrize(
    ("vni", "expected"),
    [
        (5, [True, False, False, False, True]),
        (7, [True, False, False, False, False]),
        (9, [True, True, False, False, False]),
        (0, [False, False, False, True, False]),
        (8, [False, False, False, False, False]),
    ],
)
def test_it_finds_a_network_in_any_layer(vni: int, expected: list[bool]) -> None:
    batch = batch_of(FRAMES)
    packets = new_packets(len(FRAMES))
    decode_batch(batch, packets, new_error_counters(), new_fragment_table())
    assert np.array_equal(has_vni(batch, packets, vni), expected)
