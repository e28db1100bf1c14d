"""Which label wins: the database beside a naive reading, when groups are first seen and when labels change."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, ip_address, ip_network
from typing import Any

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitors.labels import resolve
from monitors.models import Application, Group, LabelRevision, Location, Node, Point, Service
from monitors.series import write
from tests.monitors.labels.cast import group, location, service

pytestmark = pytest.mark.django_db

ADDRESSES = [str(IPv4Address("10.0.0.0") + n) for n in range(8)] + ["10.0.1.1", "192.0.2.1", "2001:db8::1"]
NETWORKS = [str(IPv4Network("10.0.0.0/29").supernet(new_prefix=p)) for p in (0, 8, 23, 24, 29)]
NETWORKS += ["10.0.0.4/30", "10.0.0.5/32", "2001:db8::/32", "::/0"]
PORTS = st.one_of(st.none(), st.tuples(st.integers(78, 83), st.integers(0, 3)))
ENDPOINT = st.tuples(st.sampled_from(NETWORKS), st.sampled_from([None, 6, 17]), PORTS)
CONVERSATION = st.tuples(
    st.sampled_from(ADDRESSES), st.sampled_from([None, *range(78, 88)]), st.sampled_from([None, 1, 6, 17])
)


def resolved(made: Group) -> Group:
    LabelRevision.objects.update(resolved=0)
    resolve.follow()
    return Group.objects.get(monitor_id=made.monitor_id, id=made.id)


def naive(services: list[Any], address: str, port: int | None, protocol: int | None) -> int | None:
    """The number of the service that wins; services are (id, weight, endpoints)."""
    fits = []
    for number, weight, endpoints in services:
        for network, named, ports in endpoints:
            whole = ip_network(network)
            if ip_address(address) not in whole or (named is not None and named != protocol):
                continue
            if ports is not None and (port is None or not ports[0] <= port <= ports[0] + ports[1]):
                continue
            fits.append((-whole.prefixlen, ports is None, weight, number))
    return min(fits)[-1] if fits else None


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.sampled_from([10, 100]), st.lists(ENDPOINT, min_size=1, max_size=3)), max_size=5),
    st.lists(CONVERSATION, min_size=1, max_size=12),
)
def test_it_chooses_services_as_the_rules_say(services: Any, conversations: Any) -> None:
    with transaction.atomic():
        made = []
        for n, (weight, endpoints) in enumerate(services):
            ends = [(network, protocol, *((p[0], p[0] + p[1]) if p else ())) for network, protocol, p in endpoints]
            made.append((service(f"s{n}", *ends, weight=weight).pk, weight, endpoints))
        groups = [group(server_ip=a, server_port=port, protocol=proto) for a, port, proto in conversations]
        LabelRevision.objects.update(resolved=0)
        resolve.follow(batch=5)
        found = dict(Group.objects.values_list("id", "service_id"))
        wanted = [naive(made, *conversation) for conversation in conversations]
        transaction.set_rollback(True)
    assert [found[one.id] for one in groups] == wanted


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.sampled_from([10, 100]), st.lists(st.sampled_from(NETWORKS), max_size=3)), max_size=5),
    st.lists(st.tuples(*[st.sampled_from(ADDRESSES)] * 2), min_size=1, max_size=8),
)
def test_it_chooses_locations_as_the_rules_say(places: Any, conversations: Any) -> None:
    with transaction.atomic():
        made = [(location(f"l{n}", *nets, weight=weight).pk, weight, nets) for n, (weight, nets) in enumerate(places)]
        rules = [(number, weight, [(net, None, None) for net in nets]) for number, weight, nets in made]
        groups = [group(client_ip=client, server_ip=server) for client, server in conversations]
        LabelRevision.objects.update(resolved=0)
        resolve.follow()
        found = {row[0]: row[1:] for row in Group.objects.values_list("id", "client_location_id", "server_location_id")}
        transaction.set_rollback(True)
    assert [found[one.id] for one in groups] == [
        (naive(rules, client, None, None), naive(rules, server, None, None)) for client, server in conversations
    ]


@pytest.mark.parametrize(
    ("keys", "wanted"),
    [
        ({"server_ip": "10.0.0.9", "server_port": 443, "protocol": 6}, "web"),
        ({"server_ip": "10.0.0.9", "server_port": 443, "protocol": 17}, "all"),
        ({"server_ip": "10.0.0.9", "server_port": 443}, "all"),
        ({"server_ip": "10.0.0.9"}, "all"),
        ({"server_net": "10.0.0.0/24"}, "all"),
        ({"server_net": "10.0.0.0/16"}, "site"),
        ({"client_ip": "10.0.0.9"}, None),
        ({"host": "10.0.0.9"}, None),
    ],
)
def test_it_names_a_service_by_what_the_monitor_keeps(keys: dict[str, Any], wanted: str | None) -> None:
    service("site", ("10.0.0.0/16",))
    service("all", ("10.0.0.0/24",))
    service("web", ("10.0.0.0/24", 6, 443))
    names = dict(Service.objects.values_list("pk", "name"))
    assert names.get(resolved(group(**keys)).service_id or 0) == wanted


def test_it_places_hosts_and_networks() -> None:
    here = location("here", "10.0.0.0/24")
    assert resolved(group(host="10.0.0.1")).client_location_id == here.pk
    assert resolved(group(host="10.0.0.1")).server_location_id == here.pk
    assert resolved(group(client_net="10.0.0.0/24")).client_location_id == here.pk
    assert resolved(group(client_net="10.0.0.0/23")).client_location_id is None


def test_it_names_protocols_by_port_and_transport() -> None:
    dns = Application.objects.create(name="DNS", weight=50)
    dns.ports.create(protocol=17, port_from=53)
    high = Application.objects.create(name="low ports")
    high.ports.create(protocol=17, port_from=1, port_to=1023)
    assert resolved(group(server_port=53, protocol=17)).application_id == dns.pk
    assert resolved(group(server_port=54, protocol=17)).application_id == high.pk
    assert resolved(group(server_port=53, protocol=6)).application_id is None


def test_it_names_points_the_more_exact_one_first(node: Node, make_monitor: Any) -> None:
    other = Node.objects.create(name="b", url="http://127.0.0.1:1")
    alone, both = make_monitor("alone"), make_monitor("both", nodes=[node, other])
    at_node = Point.objects.create(name="rack", node=node)
    vni = Point.objects.create(name="tenant", vni=7)
    exact = Point.objects.create(name="tenant in rack", vni=7, vlan=3, weight=900)
    assert resolved(group(alone.pk, vni=8)).point_id == at_node.pk
    assert resolved(group(both.pk, vni=8)).point_id is None
    assert resolved(group(both.pk, vni=7)).point_id == vni.pk
    assert resolved(group(both.pk, vni=7, vlan=3)).point_id == exact.pk
    both.nodes.set([node])
    assert resolve.is_following()


def test_it_resolves_groups_when_they_are_first_seen() -> None:
    web = service("web", ("10.0.0.0/24", 6, 443))
    values = (("client_ip", "10.9.0.1"), ("protocol", 6), ("server_ip", "10.0.0.9"), ("server_port", 443))
    write.insert_groups([(1, 1, {77: values})])
    assert Group.objects.get(monitor_id=1, id=77).service_id == web.pk


def test_it_follows_a_change_and_writes_only_what_differs() -> None:
    web, old = service("web", ("10.0.0.0/24",)), service("old", ("10.0.1.0/24",))
    one, two = group(server_ip="10.0.0.1"), group(server_ip="10.0.1.1")
    assert resolve.follow() == 2
    assert resolve.follow() == 0
    assert not resolve.is_following()
    web.endpoints.create(network="10.0.1.1/32")
    assert resolve.is_following()
    assert resolve.follow(batch=1) == 1
    assert resolved(two).service_id == web.pk
    old.delete()
    Service.objects.filter(pk=web.pk).delete()
    assert resolve.follow() == 2
    assert resolved(one).service_id is None


def test_it_knows_the_outermost_place() -> None:
    land = location("land")
    town = location("town", parent=land)
    house = location("house", parent=town)
    assert set(Location.objects.values_list("top_id", flat=True)) == {land.pk}
    town.parent = None
    town.save()
    house.refresh_from_db()
    assert house.top_id == town.pk


def test_it_leaves_a_walk_to_who_is_at_it(transactional_db: None) -> None:
    from tests.monitors.labels.second import second_connection

    service("web", ("10.0.0.0/24",))
    group(server_ip="10.0.0.1")
    with second_connection() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [resolve.LOCK, resolve.WALKING])
        assert resolve.follow() is None
    assert resolve.follow() == 1
    connection.close()
