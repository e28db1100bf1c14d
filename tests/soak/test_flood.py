"""Ten million distinct SYNs against a table of 100,000 flows; a few hundred connections go on all the while."""

from __future__ import annotations

from tests.cstor.flows.flood import KEPT, run_flood

TUPLES, MAX_FLOWS = 10_000_000, 100_000


def test_ten_million_tuples_need_no_more_memory_than_the_table_has() -> None:
    found = run_flood(TUPLES, MAX_FLOWS, seconds=10.0)
    counters = found.counters
    assert counters["flows_opened"] == TUPLES + KEPT
    assert counters["flow_rows"] <= MAX_FLOWS
    assert counters["evicted"] >= TUPLES + KEPT - 2 * MAX_FLOWS
    assert found.rows <= 20_001
    assert [outcome for outcome, _, _ in found.kept] == ["active"] * KEPT
    assert len({packets for _, packets, _ in found.kept}) == 1
    assert {missing for _, _, missing in found.kept} == {0}
    assert found.grown_bytes < 512 << 20
