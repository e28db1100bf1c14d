"""What the benchmark of panels makes of its figures."""

from __future__ import annotations

import pytest

from bench.samples_read import PANELS, Figures, _count, _row, _verdicts

FAST = Figures(90, 120, 40, 50, 500)


@pytest.mark.parametrize(("text", "rows"), [("10M", 10_000_000), ("1.5m", 1_500_000), ("20k", 20_000), ("7", 7)])
def test_it_reads_numbers_of_rows(text: str, rows: int) -> None:
    assert _count(text) == rows


def test_it_says_which_targets_are_met() -> None:
    row = _row(1000, 2_000_000, "24 h", FAST)
    assert row == ("1,000", "0.00", "24 h", "90", "120", "40", "50", "500", "150 ms: met; cold 1000 ms: met")
    slow = FAST._replace(p95=151, cold=None)
    assert _row(1000, 0, "24 h", slow)[-2:] == ("-", "150 ms: NOT MET")


@pytest.mark.parametrize(("factor", "status"), [(1.1, 0), (1.3, 1)])
def test_it_compares_the_tables_by_cpu_time(factor: float, status: int, capsys: pytest.CaptureFixture[str]) -> None:
    large = FAST._replace(client=FAST.client * factor, server=FAST.server * factor)
    found = [(1000, dict.fromkeys(PANELS, FAST)), (10_000, dict.fromkeys(PANELS, large))]
    assert _verdicts(found) == status
    assert f"10.0 x the rows cost {factor:.2f} x the CPU time" in capsys.readouterr().out
