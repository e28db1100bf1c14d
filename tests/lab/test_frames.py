"""Checksums of made packets, against RFC 1071 read literally."""

from __future__ import annotations

import random

import pytest

from lab.frames import Packets, address_bytes, checksum, outer_head, word_sum
from tests.lab import reference

PAIRS = (("192.0.2.1", "198.51.100.2"), ("2001:db8::1", "2001:db8::2"))


def _is_valid(ip: bytes) -> bool:
    return reference.has_valid_checksums(reference.Packet(0, 0, ip))


@pytest.mark.parametrize("pair", PAIRS)
@pytest.mark.parametrize("length", [0, 1, 2, 3, 535, 1448])
def test_it_makes_valid_tcp_and_udp(pair: tuple[str, str], length: int) -> None:
    rng = random.Random(length)
    maker = Packets(address_bytes(pair[0]), address_bytes(pair[1]), 64, 65_535, 7)
    for _ in range(50):
        payload, ports = rng.randbytes(length), (rng.randrange(65_536), rng.randrange(65_536))
        seq, ack = rng.getrandbits(32), rng.getrandbits(32)
        assert _is_valid(maker.tcp(ports, seq, ack, 0x18, 502, rng.randbytes(12), payload))
        assert _is_valid(maker.udp(ports, payload))


def test_it_makes_valid_icmp_errors() -> None:
    maker = Packets(address_bytes("10.0.0.1"), address_bytes("10.0.0.2"), 64, 1, 0)
    assert _is_valid(maker.host_unreachable(maker.tcp((1, 2), 3, 0, 2, 64_240, b"", b"")))


def test_it_never_sends_a_udp_checksum_of_zero() -> None:
    maker = Packets(address_bytes("10.0.0.1"), address_bytes("10.0.0.2"), 64, 1, 0)
    found = {maker.udp((1, 2), value.to_bytes(2, "big"))[26:28] for value in range(65_536)}
    assert bytes(2) not in found


def test_it_sums_words_as_the_rfc_does() -> None:
    for length in range(40):
        data = random.Random(length).randbytes(length)
        assert word_sum(data) % 65535 == reference.word_sum(data) % 65535
    assert checksum(65_535) == 0


def test_it_wraps_what_is_mirrored_for_the_target() -> None:
    head = outer_head(address_bytes("10.0.0.1"), address_bytes("10.0.0.2"), 65_000, 4789, 100)
    assert reference.word_sum(head[14:34]) == 0xFFFF
    assert int.from_bytes(head[16:18], "big") == 128
    assert int.from_bytes(head[36:38], "big") == 4789
