"""Overlaps of labels: who wins where, and what never wins, beside a naive reading of every address and port."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitors.labels.rules import Region, Rule, never_wins, overlaps
from monitors.labels.shadow import shadows
from monitors.models import Point
from tests.monitors.labels.cast import location, service

NETWORKS = ["10.0.0.0/29", "10.0.0.0/30", "10.0.0.4/30", "10.0.0.5/32", "10.0.0.4/31", "10.0.0.6/31"]
ADDRESSES = [ip_address("10.0.0.0") + n for n in range(8)]
PORTS: list[int | None] = [None, *range(78, 90)]
RULE = st.tuples(
    st.integers(1, 4),
    st.sampled_from(NETWORKS),
    st.sampled_from([None, 6]),
    st.one_of(st.none(), st.tuples(st.integers(78, 83), st.integers(0, 5))),
)


def _rule(number: int, network: str, protocol: int | None, ports: tuple[int, int] | None) -> Rule:
    net = ip_network(network)
    span = None if ports is None else (ports[0], ports[0] + ports[1])
    region = Region(net, protocol, span)
    return Rule(number, f"s{number}", region, (-net.prefixlen, span is None, 100, number))


def _fits(region: Region, address: Any, protocol: int, port: int | None) -> bool:
    inside = region.network is not None and address in region.network
    return (
        inside
        and region.protocol in (None, protocol)
        and (region.ports is None or (port is not None and region.ports[0] <= port <= region.ports[1]))
    )


@given(st.lists(RULE, min_size=1, max_size=7, unique=True))
def test_it_knows_what_never_wins(drawn: list[Any]) -> None:
    rules = list(dict.fromkeys(_rule(*one) for one in drawn))
    found = overlaps(rules)
    cells = [(a, protocol, port) for a in ADDRESSES for protocol in (6, 17) for port in PORTS]
    for rule in rules:
        mine = [cell for cell in cells if _fits(rule.region, *cell)]
        beaten = [
            any(o.label_id != rule.label_id and o.rank < rule.rank and _fits(o.region, *cell) for o in rules)
            for cell in mine
        ]
        lost = [item for item in found if item.loser == rule]
        assert never_wins(rule, lost) == all(beaten)
        assert [any(_fits(item.region, *cell) for item in lost) for cell in mine] == beaten


@pytest.mark.django_db
def test_it_says_what_shadows_what() -> None:
    web = service("web", ("10.0.0.0/24", 6, 443))
    site = service("site", ("10.0.0.0/16",), ("10.0.0.0/24", 6, 80, 88))
    late = service("late", ("10.0.0.0/24", 6, 443), weight=200)
    found = shadows("services")
    assert [str(item.region) for item in found[web.pk].takes] == [
        "10.0.0.0/24 TCP port 443",
        "10.0.0.0/24 TCP port 443",
    ]
    assert {item.loser.label for item in found[web.pk].takes} == {"site", "late"}
    assert found[late.pk].is_hidden
    assert not found[site.pk].hidden


@pytest.mark.django_db
def test_it_covers_networks_by_their_halves() -> None:
    whole = location("whole", "10.0.0.0/24")
    location("low", "10.0.0.0/25")
    assert not shadows("locations")[whole.pk].is_hidden
    location("high", "10.0.0.128/25")
    assert shadows("locations")[whole.pk].is_hidden


@pytest.mark.django_db
def test_it_compares_points() -> None:
    vni, exact = Point.objects.create(name="vni", vni=7), Point.objects.create(name="exact", vni=7, vlan=3)
    again = Point.objects.create(name="again", vni=7, weight=200)
    found = shadows("points")
    assert [str(item.region) for item in found[exact.pk].takes] == ["VNI 7 VLAN 3", "VNI 7 VLAN 3"]
    assert found[again.pk].is_hidden
    assert not found[vni.pk].is_hidden
