"""Labels in the admin: lines below the label, words for what is wrong, overlaps on the form."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from monitors.labels import resolve
from monitors.models import HostName, Location, NameSettings, Service
from tests.monitors.cast import visitor
from tests.monitors.labels.cast import location, service

pytestmark = pytest.mark.django_db


@pytest.fixture
def client() -> Client:
    return visitor("operator")


def lines(prefix: str, *parts: dict[str, Any]) -> dict[str, Any]:
    """What the form of lines below a label posts."""
    found: dict[str, Any] = {f"{prefix}-TOTAL_FORMS": len(parts), f"{prefix}-INITIAL_FORMS": 0}
    return found | {f"{prefix}-{n}-{name}": value for n, part in enumerate(parts) for name, value in part.items()}


@pytest.mark.parametrize("model", ["service", "location", "point", "application", "hostname", "namesettings"])
def test_it_lists_and_opens_each(client: Client, model: str) -> None:
    assert client.get(f"/admin/monitors/{model}/").status_code == 200
    if model != "namesettings":
        assert client.get(f"/admin/monitors/{model}/add/").status_code == 200


def test_it_makes_a_service_with_its_networks(client: Client) -> None:
    posted = {"name": "Shop", "weight": "100"} | lines("endpoints", {"network": "10.2.0.0/16", "protocol": "6"})
    assert client.post("/admin/monitors/service/add/", posted).status_code == 302
    assert [str(end) for end in Service.objects.get().endpoints.all()] == ["10.2.0.0/16"]
    assert resolve.is_following()


def test_it_says_what_is_wrong_with_a_network(client: Client) -> None:
    posted = {"name": "Shop", "weight": "100"}
    page = client.post("/admin/monitors/service/add/", posted | lines("endpoints", {"network": "10.2.0.1/16"}))
    assert "10.2.0.1/16 is an address inside 10.2.0.0/16" in page.content.decode()
    bad = lines("endpoints", {"network": "10.2.0.0/16", "port_from": "90", "port_to": "80"})
    page = client.post("/admin/monitors/service/add/", posted | bad)
    assert "The last port cannot be before the first." in page.content.decode()


def test_it_refuses_places_that_lie_in_themselves(client: Client) -> None:
    land = location("Land")
    town = location("Town", parent=land)
    posted = {"name": "Land", "weight": "100", "parent": town.pk} | lines("networks")
    page = client.post(f"/admin/monitors/location/{land.pk}/change/", posted).content.decode()
    assert "a place cannot lie in itself" in page
    assert Location.objects.get(pk=land.pk).parent is None


def test_it_shows_overlaps_on_the_form(client: Client) -> None:
    shop = service("Shop", ("10.2.0.0/16",))
    assert "no other one meets it" in client.get(f"/admin/monitors/service/{shop.pk}/change/").content.decode()
    service("Till", ("10.2.3.0/24",))
    assert (
        "Till wins <code>10.2.3.0/24</code>"
        in client.get(f"/admin/monitors/service/{shop.pk}/change/").content.decode()
    )


def test_it_takes_a_name_by_hand_as_imported(client: Client) -> None:
    client.post("/admin/monitors/hostname/add/", {"address": "10.0.0.7", "name": "web-1"})
    assert HostName.objects.get().source == "imported"


def test_it_switches_reverse_dns(client: Client) -> None:
    address = "/admin/monitors/namesettings/1/change/"
    client.get("/admin/monitors/namesettings/")
    page = client.post(address, {"per_second": "5", "nameserver": "dns.example"})
    assert "An address such as 10.0.0.53" in page.content.decode()
    client.post(address, {"per_second": "5", "nameserver": "10.0.0.53:5353", "reverse_dns": "on"})
    assert NameSettings.objects.get().reverse_dns


def test_it_lets_viewers_look_only() -> None:
    shop = service("Shop", ("10.2.0.0/16",))
    client = visitor("viewer")
    assert client.post(f"/admin/monitors/service/{shop.pk}/change/", {}).status_code in (302, 403)
    assert Service.objects.get().name == "Shop"
