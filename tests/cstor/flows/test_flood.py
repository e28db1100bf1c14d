"""A table under a SYN flood: bounded, the oldest unestablished go and are counted, what is established stays."""

from __future__ import annotations

from tests.cstor.flows.flood import KEPT, run_flood

MAX_FLOWS = 20_000
TUPLES = 300_000


def test_a_syn_flood_neither_fills_the_memory_nor_pushes_out_what_is_established() -> None:
    found = run_flood(TUPLES, MAX_FLOWS, seconds=3.0)
    counters = found.counters
    assert counters["flows_opened"] == TUPLES + KEPT
    assert counters["flow_rows"] <= MAX_FLOWS
    assert counters["evicted"] >= TUPLES + KEPT - MAX_FLOWS
    assert found.rows <= 20_001  # the limit, and the row that holds the rest
    assert [outcome for outcome, _, _ in found.kept] == ["active"] * KEPT
    assert {packets for _, packets, _ in found.kept} == {max(packets for _, packets, _ in found.kept)}
    assert {missing for _, _, missing in found.kept} == {0}
    assert found.grown_bytes < 128 << 20
