"""Labels over REST: what is written resolves, what is wrong is said, CSV both ways."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from monitors.labels import resolve
from monitors.models import HostName, Location, Service
from tests.monitors.cast import visitor
from tests.monitors.labels.cast import location

pytestmark = pytest.mark.django_db
JSON = "application/json"


@pytest.fixture
def client() -> Client:
    return visitor("operator")


def test_it_makes_changes_and_deletes_services(client: Client) -> None:
    resolve.follow()
    shop = {"name": "Shop", "endpoints": [{"network": "10.2.0.0/16", "protocol": 6, "port_from": 443}]}
    made = client.post("/api/v1/services/", shop, JSON)
    assert made.status_code == 201
    assert made.json()["endpoints"] == [{"network": "10.2.0.0/16", "protocol": 6, "port_from": 443, "port_to": 443}]
    assert resolve.is_following()
    address = f"/api/v1/services/{made.json()['id']}/"
    changed = client.patch(address, {"weight": 5}, JSON)
    assert (changed.json()["weight"], len(changed.json()["endpoints"])) == (5, 1)
    changed = client.patch(address, {"endpoints": [{"network": "10.3.0.0/16"}]}, JSON)
    assert [end["network"] for end in changed.json()["endpoints"]] == ["10.3.0.0/16"]
    assert client.delete(address).status_code == 204
    assert not Service.objects.exists()


@pytest.mark.parametrize(
    ("kind", "body", "words"),
    [
        ("services", {"name": "a", "endpoints": [{"network": "10.2.0.1/16"}]}, "inside 10.2.0.0/16"),
        (
            "services",
            {"name": "a", "endpoints": [{"network": "10.2.0.0/16", "port_from": 9, "port_to": 8}]},
            "last port",
        ),
        ("services", {"name": "a", "endpoints": [{"network": "10.2.0.0/16"}] * 2}, "twice"),
        ("points", {"name": "a"}, "at least one of node, VNI and VLAN"),
        ("protocols", {"name": "a", "ports": [{"protocol": 6, "port_from": 70000}]}, "65535"),
        ("names", {"address": "x", "name": "a"}, "valid IPv4"),
    ],
)
def test_it_says_what_is_wrong(client: Client, kind: str, body: dict[str, Any], words: str) -> None:
    answer = client.post(f"/api/v1/{kind}/", body, JSON)
    assert answer.status_code == 400
    assert words in answer.content.decode()


def test_it_nests_locations(client: Client) -> None:
    land = client.post("/api/v1/locations/", {"name": "Land"}, JSON).json()
    town = client.post(
        "/api/v1/locations/", {"name": "Town", "parent": land["id"], "networks": ["10.1.0.0/16"]}, JSON
    ).json()
    assert (town["top"], town["networks"]) == (land["id"], ["10.1.0.0/16"])
    answer = client.patch(f"/api/v1/locations/{land['id']}/", {"parent": town["id"]}, JSON)
    assert "cannot lie in itself" in answer.content.decode()
    answer = client.delete(f"/api/v1/locations/{land['id']}/")
    assert (answer.status_code, "Town lie in Land" in answer.content.decode()) == (400, True)


def test_it_imports_and_exports_csv(client: Client) -> None:
    text = "name,network\nHall,10.4.0.0/16\n"
    told = client.post("/api/v1/locations/import/", {"csv": text, "dry_run": True}, JSON).json()
    assert told["new"] == ["Hall"]
    assert not Location.objects.exists()
    assert client.post("/api/v1/locations/import/", {"csv": text}, JSON).status_code == 200
    assert client.get("/api/v1/locations/export/").content.decode() == (
        "name,parent,network,weight,description\nHall,,10.4.0.0/16,100,\n"
    )
    answer = client.post("/api/v1/locations/import/", {"csv": "name,network\nHall,10.4.0.1/16\n"}, JSON)
    assert (answer.status_code, answer.json()["problems"][0]["line"]) == (400, 2)


def test_it_names_hosts_by_address(client: Client) -> None:
    client.post("/api/v1/names/", {"address": "2001:db8::7", "name": "web-1"}, JSON)
    assert client.get("/api/v1/names/2001:db8::7/").json()["source"] == "imported"
    client.put("/api/v1/names/2001:db8::7/", {"address": "2001:db8::7", "name": "web-2"}, JSON)
    assert HostName.objects.get().name == "web-2"


def test_it_lets_viewers_read_only() -> None:
    location("Hall", "10.4.0.0/16")
    client = visitor("viewer")
    assert client.get("/api/v1/locations/").json()[0]["networks"] == ["10.4.0.0/16"]
    assert client.post("/api/v1/locations/", {"name": "x"}, JSON).status_code == 403
    assert client.post("/api/v1/locations/import/", {"csv": "name,network\n"}, JSON).status_code == 403
