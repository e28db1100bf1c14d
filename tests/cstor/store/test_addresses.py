"""Dictionaries of addresses, against inet_ntop."""

from __future__ import annotations

import random

import numpy as np

from cstor.buckets.second import CONVERSATION
from cstor.store import address
from cstor.store.addresses import end_of


def words(page: bytes) -> list[bytes]:
    found, at = [], 0
    while at < len(page):
        length = int.from_bytes(page[at : at + 4], "little")
        found.append(page[at + 4 : at + 4 + length])
        at += 4 + length
    return found


def test_addresses_are_written_as_inet_ntop_writes_them() -> None:
    chance = random.Random(5)
    some = [bytes(16), b"\xff" * 16, bytes(15) + b"\1", bytes(12) + b"\1\2\3\4", bytes(13) + b"\1\2\3"]
    for _ in range(3000):
        parts = (chance.choice([0, 0, 0, 1, 0xFFFF, chance.randrange(65536), chance.randrange(256)]) for _ in range(8))
        some.append(b"".join(part.to_bytes(2, "big") for part in parts))
    some += [address.V4_PREFIX + chance.randbytes(4) for _ in range(300)]
    some += chance.choices(some, k=500)
    rows = np.zeros(len(some), CONVERSATION)
    pairs = address.from_bytes(some)
    rows["server_hi"], rows["server_lo"] = pairs[:, 0], pairs[:, 1]
    end = end_of(rows, "server")
    texts, raw = words(end.text.page), words(end.raw.page)
    assert len(set(raw)) == len(raw) == end.raw.number == end.text.number
    assert [raw[number] for number in end.numbers.tolist()] == some
    assert [texts[number].decode() for number in end.numbers.tolist()] == [address.to_text(one) for one in some]
    assert (end.raw.least, end.raw.greatest) == (min(some), max(some))
