"""Both ends mirrored: one flow under two VNIs is counted once as primary and once as a copy."""

from __future__ import annotations

import numpy as np

from tests.cstor.flows.reading import Found, analysed
from tests.packets import EPOCH, Talk, join, udp

SECOND = EPOCH // 10**9


def packets_by(found: Found) -> dict[tuple[int, int, int], int]:
    """Packets of the client by (second, vni, is_copy)."""
    merged: dict[tuple[int, int, int], int] = {}
    for second, key, value in found.values("packets_client"):
        name = (second - SECOND, int(key["vni"]), int(key["is_copy"]))
        merged[name] = merged.get(name, 0) + value
    return merged


def seen_at(vni: int, *times_s: float) -> np.ndarray:
    return join(*(udp(EPOCH + round(at * 1e9), "10.0.0.1", "10.0.0.2", (9000, 53), vni=vni) for at in times_s))


def test_it_keeps_the_copy_of_a_connection_apart_from_its_primary() -> None:
    found = analysed(join(Talk(vni=7).handshake().request(), Talk(vni=8, at_ms=0.1).handshake().request()))
    assert packets_by(found) == {(0, 7, 0): 3, (0, 8, 1): 3}
    assert found.total("retransmissions_client") == found.total("syn_retransmissions") == 0
    assert sorted((row["vni"], row["is_copy"]) for row in found.sessions) == [(7, 0), (8, 1)]


def test_it_takes_a_flow_without_vni_as_another_place_too() -> None:
    assert packets_by(analysed(join(seen_at(-1, 0, 1), seen_at(0, 0.5, 1.5)))) == {
        (0, -1, 0): 1,
        (1, -1, 0): 1,
        (0, 0, 1): 1,
        (1, 0, 1): 1,
    }


def test_it_makes_a_copy_primary_when_the_primary_has_been_silent_for_five_seconds() -> None:
    found = analysed(join(seen_at(7, 0), seen_at(8, 0.5, 4.5, 6.5, 7.5), seen_at(7, 9)))
    assert packets_by(found) == {(0, 7, 0): 1, (0, 8, 1): 1, (4, 8, 1): 1, (6, 8, 0): 1, (7, 8, 0): 1, (9, 7, 1): 1}
    assert found.counters["copy_switches"] == 1


def test_it_does_not_take_the_other_direction_under_another_vni_as_a_flow_of_its_own() -> None:
    answer = udp(EPOCH + 1000, "10.0.0.2", "10.0.0.1", (53, 9000), vni=8)
    found = analysed(join(seen_at(7, 0), answer))
    assert [(row["vni"], row["is_copy"], row["server_port"]) for row in found.sessions] == [(7, 0, 53), (8, 1, 53)]
