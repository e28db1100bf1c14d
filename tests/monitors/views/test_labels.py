"""The pages of labels: lists, overlaps, CSV in and out, and the way to a monitor."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from monitors.labels import resolve
from monitors.models import Application, HostName, Node, Point, Service
from tests.monitors.cast import visitor
from tests.monitors.labels.cast import group, location, service

pytestmark = pytest.mark.django_db
KINDS = ["services", "locations", "points", "protocols", "names"]


@pytest.mark.parametrize("kind", KINDS)
def test_it_says_what_to_do_where_nothing_is(kind: str) -> None:
    assert (
        "Add one" in (page := visitor("operator").get(f"/labels/{kind}/").content.decode()) or "Import a list" in page
    )
    assert "Add one" not in visitor("viewer").get(f"/labels/{kind}/").content.decode()


def test_it_lists_services_with_their_conversations_and_overlaps() -> None:
    service("Shop", ("10.2.0.0/16", 6, 443))
    service("Till", ("10.2.3.0/24",))
    service("Ghost", ("10.2.3.0/24",), weight=200)
    group(server_ip="10.2.0.1", server_port=443, protocol=6)
    group(server_ip="10.9.0.1")
    resolve.follow()
    page = visitor("viewer").get("/labels/services/").content.decode()
    for text in ("10.2.0.0/16 TCP 443", "50.0 %", "shadowed in part", "<b>Till</b> wins 10.2.3.0/24 TCP port 443"):
        assert text in page
    assert "never wins" in page
    assert "/monitor/" not in page.split("<tbody>")[1]
    assert "Till" not in visitor("operator").get("/labels/services/?q=shop").content.decode().split("<tbody>")[1][:200]


def test_it_lists_places_below_those_they_lie_in() -> None:
    land = location("Land")
    location("Anytown", "10.1.0.0/16", parent=land)
    group(client_ip="10.1.0.1", server_ip="10.1.0.2")
    resolve.follow()
    page = visitor("viewer").get("/labels/locations/").content.decode()
    assert page.index("Land") < page.index("Anytown")
    assert "depth-1" in page
    assert "only what lies in it" in page


def test_it_shows_points_protocols_and_names() -> None:
    Point.objects.create(name="Core", vni=7)
    client = visitor("operator")
    assert "VNI 7" in client.get("/labels/points/").content.decode()
    client.post("/labels/protocols/well-known/")
    assert "UDP 53" in client.get("/labels/protocols/?q=dns").content.decode()
    assert Application.objects.count() > 30
    HostName.objects.create(address="10.0.0.7", name="web-1")
    assert "web-1" in client.get("/labels/names/?q=10.0.0").content.decode()
    assert "Nothing here mentions" in client.get("/labels/names/?q=db").content.decode()


def test_it_imports_after_a_look() -> None:
    client = visitor("operator")
    file = SimpleUploadedFile("services.csv", b"name,network\nShop,10.2.0.0/16\n")
    page = client.post("/labels/services/import/", {"file": file}).content.decode()
    assert "Import: 1 new, 0 unchanged" in page
    assert not Service.objects.exists()
    text = "name,network\nShop,10.2.0.0/16\n"
    answer = client.post("/labels/services/import/", {"text": text, "apply": "yes"}, follow=True)
    assert "Imported: 1 new" in answer.content.decode()
    assert client.get("/labels/services/export/").content.decode().splitlines()[1] == "Shop,10.2.0.0/16,,,100,"
    page = client.post("/labels/services/import/", {"text": text}).content.decode()
    assert "Nothing to do" in page


def test_it_refuses_bad_lines_and_empty_forms() -> None:
    client = visitor("operator")
    answer = client.post("/labels/services/import/", {"text": "name,network\nShop,nowhere\n", "apply": "yes"})
    assert answer.status_code == 400
    assert "nowhere is no network" in answer.content.decode()
    answer = client.post("/labels/services/import/", {})
    assert "Choose a file, or paste its lines." in answer.content.decode()


def test_it_leads_from_a_label_to_a_monitor() -> None:
    shop = service("Shop", ("10.2.0.0/16", 6, 443))
    town = location("Anytown", "10.1.0.0/16")
    client = visitor("operator")
    answer = client.get(f"/labels/services/{shop.pk}/monitor/")
    told = parse_qs(urlsplit(answer["Location"]).query)
    assert told["filter"] == ["server net 10.2.0.0/16 and tcp and server port 443"]
    assert told["name"] == ["Shop"]
    assert client.get(answer["Location"]).status_code == 200
    answer = client.get("/labels/monitor/?key=client_location&name=Anytown")
    assert parse_qs(urlsplit(answer["Location"]).query)["filter"] == ["client net 10.1.0.0/16"]
    location("Hall", "10.1.2.0/24", parent=town)
    filters = [
        parse_qs(urlsplit(client.get(f"/labels/monitor/?key={key}&name=Anytown")["Location"]).query)["filter"][0]
        for key in ("server_location", "server_site")
    ]
    assert filters == [
        "server net 10.1.0.0/16 and not server net 10.1.2.0/24",
        "server net 10.1.0.0/16 or server net 10.1.2.0/24",
    ]
    for question in ("key=service&name=Nobody", "key=colour&name=red", ""):
        assert client.get(f"/labels/monitor/?{question}")["Location"] == "/labels/"
    answer = client.get(f"/labels/locations/{town.pk}/monitor/")
    assert "or server net 10.1.0.0/16 or server" in parse_qs(urlsplit(answer["Location"]).query)["filter"][0]


def test_it_says_why_a_label_makes_no_monitor() -> None:
    client = visitor("operator")
    empty = service("Empty")
    page = client.get(f"/labels/services/{empty.pk}/monitor/", follow=True).content.decode()
    assert "names nothing yet" in page
    node = Node.objects.create(name="cstor-a", url="http://127.0.0.1:1")
    point = Point.objects.create(name="Rack", node=node)
    page = client.get(f"/labels/points/{point.pk}/monitor/", follow=True).content.decode()
    assert "asks cstor-a alone" in page
