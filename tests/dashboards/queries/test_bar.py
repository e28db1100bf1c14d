"""The bar above a dashboard and a panel's query under it."""

from __future__ import annotations

import pytest

from dashboards.models import Dashboard, Panel
from dashboards.queries.bar import Bar
from dashboards.queries.spec import SpecError
from tests.dashboards.traffic import Traffic

QUERY = {"monitors": ["$monitor"], "by": ["$keys"], "metrics": [{"key": "bytes", "stat": "sum"}], "filter": "tcp"}


@pytest.fixture
def panel(db: None) -> Panel:
    return Panel(dashboard=Dashboard.objects.get(slug="monitor"), title="x", query=QUERY)


def test_it_fills_in_the_monitor_and_its_keys(traffic: Traffic, panel: Panel) -> None:
    bar = Bar.from_params({"monitor": "web", "from": "now-2h"}, panel.dashboard, "Europe/Berlin")
    spec = bar.query(panel)
    assert spec.monitors == ("web",)
    assert spec.by == ("client_ip", "server_ip", "server_port", "protocol")
    assert (spec.range.start, spec.range.end, spec.range.zone) == ("now-2h", "now", "Europe/Berlin")


def test_it_takes_a_monitor_by_number_and_the_first_without_one(traffic: Traffic, panel: Panel) -> None:
    by_number = Bar.from_params({"monitor": str(traffic.web.pk)}, panel.dashboard)
    assert by_number.query(panel).monitors == ("web",)
    assert Bar.from_params({}, panel.dashboard).query(panel).monitors == ("quiet",)


def test_it_joins_its_filter_with_the_panels_own(traffic: Traffic, panel: Panel) -> None:
    bar = Bar.from_params({"filter": "server port 443 or server port 80"}, panel.dashboard)
    assert bar.query(panel).filter == "(tcp) and (server port 443 or server port 80)"


def test_it_gives_step_nodes_and_comparison_to_every_panel(traffic: Traffic, panel: Panel) -> None:
    bar = Bar.from_params({"step": "60", "nodes": "cstor-a", "compare": "7d"}, panel.dashboard)
    spec = bar.query(panel)
    assert (spec.step, spec.nodes, spec.compare) == (60, ("cstor-a",), "7d")


def test_it_opens_with_the_dashboards_own_range(panel: Panel) -> None:
    panel.dashboard.default_start = "now-6h"
    bar = Bar.from_params({"zone": "Nowhere/At all"}, panel.dashboard)
    assert (bar.range.start, bar.range.zone) == ("now-6h", "UTC")


def test_it_says_which_monitor_is_missing(panel: Panel) -> None:
    with pytest.raises(SpecError, match='there is no monitor "gone"'):
        Bar.from_params({"monitor": "gone"}, panel.dashboard).query(panel)
    with pytest.raises(SpecError, match="no monitor yet"):
        Bar.from_params({}, panel.dashboard).query(panel)


def test_it_goes_into_the_address_and_back(panel: Panel) -> None:
    words = {"from": "now-3h", "to": "now-1h", "zone": "Asia/Tokyo", "monitor": "web", "filter": "udp", "step": "60"}
    bar = Bar.from_params(words, panel.dashboard)
    assert bar.to_params() == words
    assert Bar.from_params(bar.to_params(), panel.dashboard) == bar
