"""Roles by a small flow table, against a plain dictionary."""

from __future__ import annotations

import random

import numpy as np

from cstor.search.roles import SLOTS, FlowRoles
from tests.cstor.search.stores import ACK, SYN, ethernet, tcp
from wire.packets.batch import batch_of
from wire.packets.decode import decode_batch
from wire.packets.fragments import new_fragment_table
from wire.packets.layout import new_error_counters, new_packets

ARP = bytes(12) + b"\x08\x06" + bytes(28)


def decoded(frames: list[bytes]) -> np.ndarray:
    packets = new_packets(len(frames))
    decode_batch(batch_of(frames), packets, new_error_counters(), new_fragment_table())
    return packets


def forward(*packets: bytes) -> list[int]:
    return FlowRoles().forward(decoded([ethernet(packet) for packet in packets])).tolist()


def test_it_takes_the_sender_of_a_syn_for_the_client() -> None:
    low, high = ("10.0.0.1", "10.0.0.2", 80, 5000), ("10.0.0.2", "10.0.0.1", 5000, 80)
    assert forward(tcp(*low, flags=SYN), tcp(*high, flags=SYN | ACK), tcp(*low)) == [1, 0, 1]
    assert forward(tcp(*low, flags=SYN | ACK), tcp(*high)) == [0, 1]


def test_it_takes_the_lower_port_for_the_server_in_the_middle_of_a_connection() -> None:
    low, high = ("10.0.0.1", "10.0.0.2", 80, 5000), ("10.0.0.2", "10.0.0.1", 5000, 80)
    assert forward(tcp(*low), tcp(*high)) == [0, 1]


def test_it_turns_round_when_a_syn_shows_it_was_wrong() -> None:
    low, high = ("10.0.0.1", "10.0.0.2", 80, 5000), ("10.0.0.2", "10.0.0.1", 5000, 80)
    assert forward(tcp(*low), tcp(*low, flags=SYN), tcp(*high), tcp(*low)) == [0, 1, 0, 1]


def test_it_has_no_role_for_what_is_not_ip() -> None:
    assert FlowRoles().forward(decoded([ARP])).tolist() == [-1]


def test_it_agrees_with_a_dictionary_over_many_flows() -> None:
    chance = random.Random(11)
    flows = [(f"10.0.{chance.randrange(4)}.{n % 250}", "10.9.9.9", 1024 + n, 1024 + 2 * n) for n in range(500)]
    known: dict[tuple[str, str, int, int], bool] = {}
    frames, expected = [], []
    for _ in range(3000):
        src, dst, src_port, dst_port = flow = chance.choice(flows)
        is_reply, is_syn = chance.random() < 0.5, chance.random() < 0.05
        client_first = known.get(flow)
        flags = (SYN | ACK if is_reply else SYN) if is_syn else ACK
        if is_syn:
            client_first = True
        elif client_first is None:
            client_first = src_port >= dst_port
            if is_reply and src_port == dst_port:
                client_first = False
        known[flow] = client_first
        ends = (dst, src, dst_port, src_port) if is_reply else flow
        frames.append(ethernet(tcp(*ends, flags=flags)))
        expected.append(int(client_first != is_reply))
    assert FlowRoles().forward(decoded(frames)).tolist() == expected


def test_it_forgets_rather_than_grows() -> None:
    roles = FlowRoles()
    assert len(roles.table) == SLOTS
    frames = [ethernet(tcp("10.0.0.1", "10.0.0.2", port, 80)) for port in range(1024, 3024)]
    small = roles.table[:16].copy()
    roles.table = small
    assert roles.forward(decoded(frames)).tolist() == [1] * len(frames)
