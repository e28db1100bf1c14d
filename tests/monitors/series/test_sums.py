"""What groups rank by: the same sums as SQL has, those of coarse tiers remembered for a while."""

from __future__ import annotations

import pytest

from monitors.models import SAMPLES
from monitors.series import sums
from monitors.series.rollup import roll_up
from monitors.series.slices import Slice
from tests.dashboards.traffic import END, START, Traffic, make_traffic

BYTES = ("bytes_client", "bytes_server")
HOUR = START // 3600 * 3600


@pytest.fixture
def traffic(db: None) -> Traffic:
    traffic = make_traffic()
    roll_up(END + 86_400 * 40)
    return traffic


def ranked(traffic: Traffic, *pieces: Slice, limit: int = 100, nodes: tuple[int, ...] = ()) -> list[float]:
    return sums.largest({(traffic.web.pk,): pieces}, BYTES, limit, nodes).sums.tolist()


def test_it_adds_up_over_slices_and_leaves_totals_out(traffic: Traffic) -> None:
    expected = sorted((traffic.bytes_of(n) for n in range(8)), reverse=True)
    assert ranked(traffic, Slice(10, START, END)) == expected
    assert ranked(traffic, Slice(10, START, START + 60), Slice(60, START + 60, END)) == expected
    assert ranked(traffic, Slice(3600, HOUR, HOUR + 3600), limit=3) == expected[:3]
    assert ranked(traffic, Slice(10, END, END + 60)) == []


def test_it_adds_up_some_nodes_only(traffic: Traffic) -> None:
    one, two = (ranked(traffic, Slice(10, START, END), nodes=(node.pk,)) for node in traffic.nodes)
    assert sum(one) + sum(two) == traffic.bytes_of() - traffic.bytes_of(8)
    assert len(one) == len(two) == 4


def test_it_remembers_coarse_slices_for_a_while(traffic: Traffic, monkeypatch: pytest.MonkeyPatch) -> None:
    coarse, fine = Slice(3600, HOUR, HOUR + 3600), Slice(10, START, END)
    before = ranked(traffic, coarse)
    for step in (10, 3600):
        SAMPLES[step].objects.all().delete()
    assert ranked(traffic, coarse) == before
    assert ranked(traffic, fine) == []
    monkeypatch.setattr(sums, "REMEMBERED_S", -1.0)
    assert ranked(traffic, coarse) == []


def test_it_forgets_what_was_asked_for_longest_ago(traffic: Traffic, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sums, "MOST", 2)
    coarse = Slice(3600, HOUR, HOUR + 3600)
    before = ranked(traffic, coarse)
    SAMPLES[3600].objects.all().delete()
    ranked(traffic, Slice(3600, HOUR + 3600, HOUR + 7200))
    assert ranked(traffic, coarse) == before
    for n in (2, 3):
        ranked(traffic, Slice(3600, HOUR + n * 3600, HOUR + n * 3600 + 3600))
    assert ranked(traffic, coarse) == []
