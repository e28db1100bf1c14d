"""CSV of labels: what an import would change is told first, line by line; an export imports as no change."""

from __future__ import annotations

import pytest

from monitors.labels import resolve
from monitors.labels.sheets import SHEETS, Sheet
from monitors.labels.sheets.names import NAMES
from monitors.labels.well_known import add_well_known
from monitors.models import Application, HostName, Location, NameSource, Node, Point, Service

pytestmark = pytest.mark.django_db


def problems(kind: str, text: str, remove_missing: bool = False) -> list[str]:
    return [str(problem) for problem in SHEETS[kind].plan(text, remove_missing).problems]


def applied(kind: str, text: str, remove_missing: bool = False) -> Sheet:
    plan = SHEETS[kind].apply(text, remove_missing)
    assert plan.problems == []
    return SHEETS[kind]


@pytest.mark.parametrize("sheet", SHEETS.values(), ids=list(SHEETS))
def test_it_imports_its_own_example_and_export(sheet: Sheet) -> None:
    Node.objects.create(name="cstor-a", url="http://127.0.0.1:1")
    plan = sheet.apply(sheet.example)
    assert plan.new
    assert plan.problems == []
    again = sheet.plan(sheet.export(), remove_missing=True)
    assert (again.new, again.changed, again.removed, again.problems) == ({}, {}, [], [])
    assert set(again.unchanged) == set(plan.new)


def test_it_reads_services() -> None:
    text = "name;network;protocol;ports;weight\nShop;10.2.0.0/24;tcp;80 443;7\nShop;10.2.1.7;;;\nDB;10.3.0.0/16;;;\n"
    applied("services", text)
    shop = Service.objects.get(name="Shop")
    found = sorted(shop.endpoints.values_list("network", "protocol", "port_from", "port_to"), key=str)
    assert found == [
        ("10.2.0.0/24", 6, 443, 443),
        ("10.2.0.0/24", 6, 80, 80),
        ("10.2.1.7/32", None, None, None),
    ]
    assert (shop.weight, Service.objects.get(name="DB").weight) == (7, 100)


def test_it_names_each_bad_line() -> None:
    text = (
        "name,network,protocol,ports,weight\n"
        "a,10.2.0.1/24,,,\n"
        ",10.2.0.0/24,,,\n"
        "b,10.2.0.0/24,SCTP,,\n"
        "c,10.2.0.0/24,TCP,99999,\n"
        "d,10.2.0.0/24,TCP,,5\n"
        "d,10.3.0.0/24,TCP,,6\n"
        "e,10.2.0.0/24,,,,,\n"
        "f,nonsense,,,\n"
        "g,10.2.0.0/24,,,\n"
        "g,10.2.0.0/24,,,\n"
    )
    assert problems("services", text) == [
        "line 2: 10.2.0.1/24 is an address inside 10.2.0.0/24; write the network itself or the address.",
        "line 3: the name is missing",
        'line 4: protocol "SCTP" is neither TCP nor UDP',
        'line 5: port "99999" is neither a port (443) nor a range (8000-8100)',
        "line 7: weight of d is another than on line 6",
        "line 8: 7 cells where 5 are named",
        "line 9: nonsense is no network; write 10.2.0.0/16 or 10.2.3.4.",
        "line 11: g has 10.2.0.0/24 twice",
    ]
    SHEETS["services"].apply(text)
    assert not Service.objects.exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "There is no line to import: paste CSV or choose a file."),
        (
            "Shop,10.0.0.0/8",
            "line 1: the first line has to name the columns, at least name, network; name, network is missing",
        ),
        (
            "name,network,colour\na,10.0.0.0/8,red",
            "line 1: unknown column colour; known are name, network, protocol, ports, weight, description",
        ),
    ],
)
def test_it_says_what_is_wrong_with_the_whole(text: str, message: str) -> None:
    assert problems("services", text) == [message]


def test_it_tells_what_would_change_and_keeps_what_the_sheet_does_not_say() -> None:
    applied("services", "name,network,weight,description\nShop,10.2.0.0/24,7,Web\nOld,10.9.0.0/16,,\n")
    plan = SHEETS["services"].plan("name,network\nShop,10.2.0.0/25\nNew,10.4.0.0/16\n", remove_missing=True)
    assert (list(plan.new), list(plan.changed), plan.removed) == (["New"], ["Shop"], ["Old"])
    assert plan.notes["Shop"] == "+ 10.2.0.0/25, - 10.2.0.0/24"
    assert Service.objects.count() == 2
    applied("services", "name,network\nShop,10.2.0.0/25\n")
    shop = Service.objects.get(name="Shop")
    assert (shop.weight, shop.description, [str(end) for end in shop.endpoints.all()]) == (7, "Web", ["10.2.0.0/25"])
    assert Service.objects.count() == 2


def test_it_nests_locations_in_any_order() -> None:
    applied("locations", "name,parent,network\nHall,Berlin,10.4.2.0/24\nBerlin,Germany,10.4.0.0/16\nGermany,,\n")
    hall = Location.objects.get(name="Hall")
    assert (hall.parent.name, hall.top.name) == ("Berlin", "Germany")  # type: ignore[union-attr]
    assert problems("locations", "name,parent,network\nGermany,Hall,\n") == [
        "line 2: Germany lies in Hall lies in Berlin lies in Germany: a place cannot lie in itself"
    ]
    assert problems("locations", "name,parent,network\nHall,Paris,\n") == [
        'line 2: parent "Paris" of Hall is no location'
    ]
    assert problems("locations", "name,network\nHall,10.4.2.0/24\n", remove_missing=True) == [
        'line 2: parent "Berlin" of Hall is no location that stays'
    ]
    applied("locations", "name,parent,network\nHall,,10.4.2.0/24\n", remove_missing=True)
    assert list(Location.objects.values_list("name", "parent", "top__name")) == [("Hall", None, "Hall")]


def test_it_reads_points_and_protocols() -> None:
    node = Node.objects.create(name="cstor-a", url="http://127.0.0.1:1")
    applied("points", "name,node,vni,vlan\nUplink,cstor-a,,120\nTenant,,7,\n")
    assert Point.objects.get(name="Uplink").node == node
    assert problems("points", "name,node,vni\na,,\nb,nowhere,7\nc,,x\n") == [
        "line 2: a names neither node nor VNI nor VLAN: it would be everywhere",
        'line 3: there is no node "nowhere"',
        'line 4: vni "x" is not a number from 0 to 16777215',
    ]
    applied("protocols", "name,protocol,ports\nDNS,UDP,53\nDNS,TCP,53\n")
    assert sorted(Application.objects.get(name="DNS").ports.values_list("protocol", flat=True)) == [6, 17]


def test_it_makes_groups_follow() -> None:
    resolve.follow()
    SHEETS["services"].plan("name,network\na,10.0.0.0/8\n")
    assert not resolve.is_following()
    applied("services", "name,network\na,10.0.0.0/8\n")
    assert resolve.is_following()
    resolve.follow()
    applied("services", "name,network\na,10.0.0.0/8\n")
    assert not resolve.is_following()


def test_it_reads_names_from_csv_and_hosts_files() -> None:
    HostName.objects.create(address="10.0.0.9", name="said-by-dns", source=NameSource.DNS)
    applied("names", "# ours\n127.0.0.1 localhost\n10.0.0.7\tweb-1 web-1.example.net  # front\n2001:DB8::7 web-1\n")
    assert HostName.objects.get(address="10.0.0.7").name == "web-1"
    assert HostName.objects.get(address="2001:db8::7").name == "web-1"
    plan = NAMES.plan("Address,Name\n10.0.0.7,web-2\n10.0.0.9,ours\nx,y\n10.0.0.10,\n10.0.0.7,web-3")
    assert [str(problem) for problem in plan.problems] == [
        'line 4: "x" is no address',
        "line 5: the name is missing",
        "line 6: name of 10.0.0.7 is another than on line 2",
    ]
    applied("names", "address,name\n10.0.0.9,ours\n", remove_missing=True)
    assert list(HostName.objects.values_list("name", "source")) == [("ours", "imported")]


def test_it_writes_no_formulas_into_sheets() -> None:
    Service.objects.create(name="=1+1").endpoints.create(network="10.0.0.0/8")
    text = SHEETS["services"].export()
    assert "\n'=1+1," in text
    assert SHEETS["services"].plan(text).unchanged == ["=1+1"]


def test_it_adds_well_known_protocols_once_and_leaves_ours_alone() -> None:
    Application.objects.create(name="https", description="ours")
    names = add_well_known()
    assert "DNS" in names
    assert "HTTPS" not in names
    assert add_well_known() == []
    assert Application.objects.get(name="https").description == "ours"
