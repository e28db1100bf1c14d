"""A label's filter selects the groups that have the label, and no others."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitors.labels import resolve
from monitors.labels.filters import label_filter, within
from monitors.models import Application, Group, LabelRevision, Monitor, Point
from monitors.series.criteria import criteria_sql
from tests.monitors.labels.cast import group, location, service

pytestmark = pytest.mark.django_db

KEYS = ["client_ip", "server_ip", "server_port", "protocol", "vni", "vlan"]
NETWORKS = ["10.0.0.0/29", "10.0.0.0/30", "10.0.0.4/30", "10.0.0.5/32", "10.0.0.0/8", "2001:db8::/64"]
ADDRESSES = ["10.0.0.1", "10.0.0.5", "10.0.0.6", "10.1.0.1", "2001:db8::1"]
ENDPOINT = st.tuples(
    st.sampled_from(NETWORKS), st.sampled_from([None, 6]), st.sampled_from([None, (80, 80), (79, 82), (443, 443)])
)


def matching(monitor: Monitor, text: str) -> set[int]:
    condition, params = criteria_sql(text, [monitor])
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT id FROM monitors_group g WHERE {condition}", params)
        return {number for (number,) in cursor.fetchall()}


def having(**labels: Any) -> set[int]:
    return set(Group.objects.filter(**labels).values_list("id", flat=True))


def follow() -> None:
    LabelRevision.objects.update(resolved=0)
    resolve.follow()


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.lists(ENDPOINT, min_size=1, max_size=3), min_size=1, max_size=4),
    st.lists(st.lists(st.sampled_from(NETWORKS), min_size=1, max_size=2), min_size=1, max_size=3),
)
def test_it_selects_what_the_label_wins(services: Any, places: Any) -> None:
    with transaction.atomic():
        monitor = Monitor.objects.create(name="m", keys=KEYS)
        made = [service(f"s{n}", *[(a, b, *(c or ())) for a, b, c in ends]) for n, ends in enumerate(services)]
        there = [location(f"l{n}", *networks) for n, networks in enumerate(places)]
        for server in ADDRESSES:
            for port, protocol in ((80, 6), (81, 17), (443, 6), (None, 1)):
                group(monitor.pk, client_ip="10.0.0.6", server_ip=server, server_port=port, protocol=protocol)
        follow()
        for one in made:
            assert matching(monitor, label_filter("services", {one.pk})) == having(service_id=one.pk)
        for place in there:
            as_client, as_server = having(client_location_id=place.pk), having(server_location_id=place.pk)
            assert matching(monitor, label_filter("locations", {place.pk}, "client")) == as_client
            assert matching(monitor, label_filter("locations", {place.pk})) == as_client | as_server
        transaction.set_rollback(True)


def test_it_selects_points_and_protocols() -> None:
    monitor = Monitor.objects.create(name="m", keys=KEYS)
    vni = Point.objects.create(name="vni", vni=7)
    exact = Point.objects.create(name="exact", vni=7, vlan=3)
    dns = Application.objects.create(name="DNS")
    dns.ports.create(protocol=17, port_from=53)
    dns.ports.create(protocol=6, port_from=53)
    for tag, vlan, port, protocol in ((7, 3, 53, 17), (7, None, 53, 6), (8, 3, 53, 6), (None, None, 54, 6)):
        group(monitor.pk, vni=tag, vlan=vlan, server_port=port, protocol=protocol)
    follow()
    for point in (vni, exact):
        assert matching(monitor, label_filter("points", {point.pk})) == having(point_id=point.pk) != set()
    assert matching(monitor, label_filter("protocols", {dns.pk})) == having(application_id=dns.pk)


def test_it_counts_what_lies_in_a_place_to_the_place() -> None:
    land = location("land", "10.0.0.0/8")
    town = location("town", "10.1.0.0/16", parent=land)
    assert within(land) == {land.pk, town.pk}
    own = label_filter("locations", {land.pk}, "client")
    assert own == "client net 10.0.0.0/8 and not client net 10.1.0.0/16"
    assert label_filter("locations", within(land), "client") == "client net 10.0.0.0/8 or client net 10.1.0.0/16"
