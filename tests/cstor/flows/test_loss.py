"""The loss table against a plain reference on random traffic, and its nasty cases one by one."""

from __future__ import annotations

import random

import numpy as np
import pytest

from cstor.metrics.registry import COUNTERS
from tests.cstor.flows.reading import analysed
from tests.naive import loss_counts, turn_times
from tests.packets import EPOCH, MS, Talk, join, tcp, words

CLASSES = ("keep_alives", "zero_window_probes", "zero_windows", "gaps", "window_full", "duplicate_acks", "acked_unseen")
CLASSES += ("spurious_retransmissions", "fast_retransmissions", "out_of_order", "retransmissions")
KEYS = [f"{name}_{side}" for name in CLASSES for side in ("client", "server")]
CLIENT = words("10.0.0.1")[1]


def noisy(seed: int, steps: int = 120, *, start: int = 2**32 - 3000) -> np.ndarray:
    """A connection with loss, resends, reordering, closed windows and keep-alives; sequence numbers wrap."""
    rng = random.Random(seed)
    scale = rng.choice([-1, 0, 2])
    talk = Talk(isn=(start, 5000), window=rng.choice([200, 1000])).handshake(rng.choice([1, 30]), 1, option_scale=scale)
    sent: list[list[tuple[int, int]]] = [[], []]
    for _ in range(steps):
        side = rng.randrange(2)
        after_ms = rng.choice([0.2, 1, 2, 25])
        kind = rng.random()
        talk.window[side] = rng.choice([0, 200, 200, 1000, 1000])
        if kind < 0.45:
            length = rng.choice([1, 100, 200])
            sent[side].append((talk.next[side], length))
            talk.send(side, "PA", length, after_ms=after_ms, lost=rng.random() < 0.15)
        elif kind < 0.6 and sent[side]:
            seq, length = rng.choice(sent[side][-4:])
            talk.send(side, "A", length, seq=seq, after_ms=after_ms)
        elif kind < 0.7:
            talk.send(side, "A", rng.choice([0, 1]), seq=talk.next[side] - 1, after_ms=after_ms)
        else:
            back = rng.choice([0, 0, 0, 100, -50])
            talk.send(side, "A", ack=talk.seen[side] - back, after_ms=after_ms)
    packets = talk.packets
    packets["seq"] %= 2**32
    packets["ack"] %= 2**32
    if rng.random() < 0.3:
        packets["time_ns"][3:] += np.array([rng.randrange(3) * MS for _ in packets[3:]])  # time stamps not in order
    return packets


@pytest.mark.parametrize("seed", range(40))
def test_it_finds_the_classes_of_the_plain_reference(seed: int) -> None:
    packets = noisy(seed)
    found, expected = analysed(packets), loss_counts(packets, CLIENT)
    counters = {base.key for base in COUNTERS}
    assert set(KEYS) <= counters
    assert {key: found.total(key) for key in KEYS} == {key: expected[key] for key in KEYS}
    assert {key: int(found.sessions[key].sum()) for key in KEYS} == {key: expected[key] for key in KEYS}


@pytest.mark.parametrize("seed", range(40))
def test_it_finds_the_turns_of_the_plain_reference(seed: int) -> None:
    packets = noisy(seed)
    packets = packets[np.argsort(packets["time_ns"], kind="stable")]
    found, expected = analysed(packets), turn_times(packets, CLIENT)
    assert found.total("turns_ambiguous") == len(expected.pop("turns_ambiguous"))
    for name, durations in expected.items():
        assert (name, found.total(f"{name}_count"), found.total(f"{name}_sum")) == (
            name,
            len(durations),
            sum(durations),
        )


def test_it_counts_a_gap_its_bytes_and_the_late_segment() -> None:
    talk = Talk().handshake(rtt_ms=20)
    talk.client("A", 100).client("A", 100, lost=True).client("A", 100)
    talk.send(0, "A", 100, seq=1101, after_ms=1)
    found = analysed(talk.packets)
    assert (found.total("gaps_client"), found.total("gap_bytes_client"), found.total("out_of_order_client")) == (
        1,
        100,
        1,
    )
    assert found.total("retransmissions_client") == 0


def test_it_tells_a_late_segment_from_a_resent_one_by_the_round_trip() -> None:
    talk = Talk().handshake(rtt_ms=20)
    talk.client("A", 100).client("A", 100, lost=True).client("A", 100).send(0, "A", 100, seq=1101, after_ms=200)
    found = analysed(talk.packets)
    assert (found.total("out_of_order_client"), found.total("retransmissions_client")) == (0, 1)
    assert found.total("retransmitted_bytes_client") == 100


def test_it_counts_spurious_and_fast_resends_as_resends_too() -> None:
    talk = Talk().handshake().request(100)
    talk.server("A").send(0, "PA", 100, seq=1001, after_ms=300)
    found = analysed(talk.packets)
    assert (found.total("spurious_retransmissions_client"), found.total("retransmissions_client")) == (1, 1)
    fast = Talk().handshake().client("A", 100).client("A", 100, lost=True)
    for _ in range(3):
        fast.client("A", 100).server("A", ack=1101)
    fast.send(0, "A", 100, seq=1101, after_ms=1)
    found = analysed(fast.packets)
    assert (found.total("duplicate_acks_server"), found.total("fast_retransmissions_client")) == (2, 1)


def test_it_counts_nothing_in_a_clean_connection() -> None:
    found = analysed(Talk(window=60_000).handshake().request().response(9000).request().response().close().packets)
    assert [key for key in KEYS if found.total(key)] == []


@pytest.mark.parametrize("flags", ["SF", "SR", "FR", "SFR"])
def test_it_counts_flags_that_exclude_each_other(flags: str) -> None:
    found = analysed(tcp(EPOCH, "10.0.0.1", "10.0.0.2", (5000, 80), flags, 1, 0))
    assert found.total("sequence_errors_client") == 1


def test_it_counts_sequence_numbers_from_nowhere_without_their_bytes() -> None:
    talk = Talk().handshake().request().send(0, "A", 10, seq=2**31 - 5000)
    found = analysed(join(talk))
    assert (found.total("sequence_errors_client"), found.total("gaps_client"), found.total("gap_bytes_client")) == (
        1,
        1,
        0,
    )


def test_it_takes_sequence_number_zero_as_unknown_like_tshark() -> None:
    talk = Talk(isn=(1000, 4_056_368_679)).client("S", after_ms=0).send(1, "RA", seq=0)
    talk.send(0, "S", seq=1000, after_ms=500).server("SA").client().request().server("A").response()
    found = analysed(talk.packets)
    assert found.total("retransmissions_server") + found.total("out_of_order_server") == 0
