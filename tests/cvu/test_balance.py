"""The hash that spreads flows: the same in both directions, even over outputs, and what plain Python says it is."""

from __future__ import annotations

import random
from ipaddress import IPv4Address, IPv6Address

import numpy as np
import pytest

from cvu.balance import MULTIPLIER, SEED, flow_hash
from tests.cvu.traffic import End, ip, tcp, udp, unreachable
from wire.packets.batch import batch_of
from wire.packets.decode import decode_batch
from wire.packets.fragments import new_fragment_table
from wire.packets.layout import new_error_counters, new_packets


def _hashes(frames: list[bytes]) -> list[int]:
    out = new_packets(len(frames))
    decode_batch(batch_of(frames), out, new_error_counters(), new_fragment_table())
    return [int(flow_hash(row)) for row in out]


def _mixed(value: int, word: int) -> int:
    value = (value ^ word) * MULTIPLIER % 2**32
    return value ^ value >> 15


def _plain(source: End, target: End, protocol: int) -> int:
    ends = []
    for end in (source, target):
        version6 = int(IPv6Address(end.address)) if ":" in end.address else int(IPv4Address(end.address)) | 0xFFFF << 32
        value = SEED
        for shift in (96, 64, 32, 0):
            value = _mixed(value, version6 >> shift & 0xFFFFFFFF)
        ends.append(_mixed(value, end.port))
    return _mixed(_mixed(sum(ends) % 2**32, protocol), 0)


def _random_end(rng: random.Random, version: int) -> End:
    bits = rng.getrandbits(32 if version == 4 else 128)
    return End(str(IPv4Address(bits) if version == 4 else IPv6Address(bits)), rng.randrange(1, 65_536))


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize(("maker", "protocol"), [(tcp, 6), (udp, 17)])
def test_it_is_the_same_in_both_directions(version: int, maker: object, protocol: int) -> None:
    rng = random.Random(version)
    ends = [(_random_end(rng, version), _random_end(rng, version)) for _ in range(200)]
    forward = _hashes([maker(a, b) for a, b in ends])
    assert forward == _hashes([maker(b, a) for a, b in ends])
    assert forward == [_plain(a, b, protocol) for a, b in ends]
    assert len(set(forward)) > 195


@pytest.mark.parametrize("outputs", [2, 3, 5, 7])
def test_it_spreads_the_ports_of_one_client_evenly(outputs: int) -> None:
    server = End("10.0.0.1", 443)
    hashes = _hashes([tcp(End("192.0.2.1", port), server) for port in range(32_768, 36_864)])
    shares = np.bincount([value * outputs >> 32 for value in hashes], minlength=outputs)
    assert shares.min() > 0.85 * 4096 / outputs


def test_it_keeps_the_fragments_of_a_datagram_together() -> None:
    a, b = End("10.0.0.1", 5_000), End("10.0.0.2", 53)
    whole = udp(a, b, bytes(1_600))[34:]
    pieces = [
        ip(a.address, b.address, 17, whole[:800], fragment=0x2000),
        ip(a.address, b.address, 17, whole[800:], fragment=100),
    ]
    answer = ip(b.address, a.address, 17, whole[:800], fragment=0x2000)
    assert len(set(_hashes([*pieces, answer]))) == 1


def test_it_sends_an_icmp_error_where_its_flow_goes() -> None:
    rng = random.Random(9)
    for _ in range(50):
        frame = tcp(_random_end(rng, 4), _random_end(rng, 4), flags=2)
        assert len(set(_hashes([frame, unreachable("10.9.9.9", frame)]))) == 1


def test_it_takes_what_is_not_ip() -> None:
    assert _hashes([bytes(12) + b"\x08\x06" + bytes(28)]) == [0]
