"""The index against a dictionary, the hash against its promises."""

from __future__ import annotations

import random

import numpy as np

from cstor.flows.hashing import flow_hash
from cstor.flows.seq import ahead, plus
from cstor.flows.table import copy_entries, insert_entry, new_index, remove_entry
from wire.packets.jit import kernel


@kernel
def hash_of(a_hi, a_lo, b_hi, b_lo, a_port, b_port):
    return flow_hash(12345, a_hi, a_lo, b_hi, b_lo, a_port, b_port, 6)


@kernel
def distance(a, b):
    return ahead(a, b)


@kernel
def moved(a, count):
    return plus(a, count)


def entries(index: np.ndarray) -> dict[int, int]:
    return {int(number): int(tag) for tag, number in index if number >= 0}


def test_it_keeps_entries_through_random_inserts_and_removals() -> None:
    rng = random.Random(1)
    index, known = new_index(256), {}
    for step in range(3000):
        if known and (len(known) > 120 or rng.random() < 0.45):
            number = rng.choice(list(known))
            remove_entry(index, known.pop(number), number)
        else:
            known[step] = rng.choice([3, 4, 255, 256 + 3, rng.randrange(2**31)])  # many share a home
            insert_entry(index, known[step], step)
        assert len(entries(index)) == len(known)
    assert entries(index) == known
    for number, tag in known.items():  # each is reached from its home without a hole on the way
        at = tag & 255
        while index[at, 1] != number:
            assert index[at, 1] >= 0
            at = (at + 1) & 255


def test_it_grows_without_losing_entries() -> None:
    index = new_index(64)
    for number in range(30):
        insert_entry(index, number * 64, number)
    larger = new_index(128)
    copy_entries(index, larger)
    assert entries(larger) == entries(index)


def test_it_ignores_the_removal_of_what_is_not_there() -> None:
    index = new_index(64)
    insert_entry(index, 5, 1)
    remove_entry(index, 5, 2)
    assert entries(index) == {1: 5}


def test_its_hash_is_the_same_in_both_directions_and_spreads() -> None:
    rng = random.Random(2)
    homes = np.zeros(1024, int)
    for number in range(20_000):
        a, b = 0xFFFF0A000000 + number, 0xFFFF0A630001
        ports = rng.randrange(65536), 443
        one = hash_of(0, a, 0, b, *ports)
        assert one == hash_of(0, b, 0, a, *ports[::-1])
        assert 0 <= one < 2**31
        homes[one & 1023] += 1
    assert homes.max() < 60  # 20 on average


def test_its_hash_tells_ipv6_hosts_apart() -> None:
    rng = random.Random(3)
    tags = {hash_of(rng.randrange(-(2**63), 2**63), rng.randrange(-(2**63), 2**63), 1, 2, 3, 4) for _ in range(2000)}
    assert len(tags) > 1990


def test_its_sequence_numbers_wrap() -> None:
    assert distance(5, 2**32 - 5) == 10
    assert distance(2**32 - 5, 5) == -10
    assert distance(2**31, 0) == -(2**31)
    assert moved(2**32 - 1, 2) == 1
    assert moved(0, -1) == 2**32 - 1
