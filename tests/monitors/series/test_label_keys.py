"""Questions by label: groups fold by the label that stands on them, and what has none is said to have none."""

from __future__ import annotations

from typing import Any

import pytest

from monitors.models import Application, Group, Location, Monitor, Point, Service
from monitors.series.criteria import CannotAnswer
from monitors.series.label_keys import LABEL_KEYS
from monitors.series.read import ReadRequest, read
from tests.dashboards.traffic import CONVERSATIONS, END, START, Traffic, make_traffic

BYTES = ("bytes_client", "bytes_server")
LABEL_KEY_NAMES = (
    *("service", "client_location", "server_location", "client_site", "server_site", "point", "application"),
)


@pytest.fixture
def traffic(db: None) -> Traffic:
    return make_traffic()


def bytes_by(traffic: Traffic, *by: str, **words: Any) -> dict[tuple[Any, ...], float]:
    result = read(ReadRequest((traffic.web.pk,), BYTES, START, END, 60, by=by, **words))
    whole = sum(result.whole[key] for key in BYTES)  # type: ignore[misc]
    return {tuple(group.values()): float(n) for group, n in zip(result.groups, whole, strict=True)}


def expected(traffic: Traffic, server_port: int) -> int:
    return sum(traffic.bytes_of(n) for n, keys in enumerate(CONVERSATIONS) if keys["server_port"] == server_port)


def test_it_folds_groups_by_their_label(traffic: Traffic) -> None:
    service = Service.objects.create(name="Shop")
    Group.objects.filter(monitor_id=traffic.web.pk, server_port=443).update(service_id=service.pk)
    assert bytes_by(traffic, "service") == {("Shop",): expected(traffic, 443), (None,): expected(traffic, 5432)}


def test_it_folds_by_labels_and_keys_together(traffic: Traffic) -> None:
    berlin, cellar = Location.objects.create(name="Berlin"), Location.objects.create(name="Cellar")
    Group.objects.filter(monitor_id=traffic.web.pk).update(client_location_id=berlin.pk, server_location_id=cellar.pk)
    found = bytes_by(traffic, "client_location", "server_location", "server_port")
    assert found == {("Berlin", "Cellar", port): expected(traffic, port) for port in (443, 5432)}


def test_it_knows_every_label_column(traffic: Traffic) -> None:
    assert tuple(LABEL_KEYS) == LABEL_KEY_NAMES
    Application.objects.create(name="HTTPS", pk=7)
    Point.objects.create(name="Rack", pk=8)
    Group.objects.filter(monitor_id=traffic.web.pk, server_port=443).update(application_id=7, point_id=8)
    for key, name in (("application", "HTTPS"), ("point", "Rack")):
        assert bytes_by(traffic, key) == {(name,): expected(traffic, 443), (None,): expected(traffic, 5432)}


def test_it_filters_within_labels(traffic: Traffic) -> None:
    service = Service.objects.create(name="Shop")
    Group.objects.filter(monitor_id=traffic.web.pk).update(service_id=service.pk)
    assert bytes_by(traffic, "service", filter="server port 443") == {("Shop",): expected(traffic, 443)}


def test_it_refuses_a_label_that_the_monitor_cannot_tell(traffic: Traffic) -> None:
    Monitor.objects.filter(pk=traffic.web.pk).update(keys=["client_ip"])
    with pytest.raises(CannotAnswer, match=r'"Web" keeps nothing that tells its service .*; let it keep server_ip or'):
        bytes_by(traffic, "service")


def test_it_folds_places_into_the_outermost(traffic: Traffic) -> None:
    berlin = Location.objects.create(name="Berlin")
    cellar = Location.objects.create(name="Cellar", parent=berlin, top=berlin)
    Group.objects.filter(monitor_id=traffic.web.pk, server_port=443).update(server_location_id=cellar.pk)
    Group.objects.filter(monitor_id=traffic.web.pk, server_port=5432).update(server_location_id=berlin.pk)
    assert bytes_by(traffic, "server_site") == {("Berlin",): expected(traffic, 443) + expected(traffic, 5432)}
