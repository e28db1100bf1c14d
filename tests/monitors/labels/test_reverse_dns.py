"""Names by reverse DNS from a real server on loopback: off by default, as slowly as was said, kept and asked again."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import pytest
from django.utils import timezone

from monitors.labels import reverse_dns
from monitors.labels.names import names_of
from monitors.models import Group, HostName, NameSettings, NameSource
from tests.monitors.labels.cast import group
from tests.monitors.labels.dns_server import DnsServer

pytestmark = pytest.mark.django_db
NAMES = {"10.0.0.1": "client.example.", "10.0.0.2": "server.example.", "2001:db8::7": "six.example."}
DAY = dt.timedelta(days=1)


@pytest.fixture
def server() -> Iterator[DnsServer]:
    with DnsServer(NAMES, silent=("10.0.0.9",)) as server:
        yield server


def switch_on(server: DnsServer, per_second: int = 100) -> None:
    NameSettings.objects.update_or_create(
        pk=1, defaults={"reverse_dns": True, "nameserver": server.address, "per_second": per_second}
    )


def test_it_asks_nobody_unless_switched_on(server: DnsServer) -> None:
    group(client_ip="10.0.0.1", server_ip="10.0.0.2")
    NameSettings.objects.update_or_create(pk=1, defaults={"nameserver": server.address})
    assert reverse_dns.run() == 0
    assert server.asked == []


def test_it_learns_names_of_recent_conversations_once(server: DnsServer) -> None:
    switch_on(server)
    group(client_ip="10.0.0.1", server_ip="10.0.0.2")
    group(host="2001:db8::7")
    group(client_ip="10.0.0.3", server_ip="10.0.0.2")
    assert reverse_dns.run() == 4
    assert names_of([*NAMES, "10.0.0.3"]) == {address: name.rstrip(".") for address, name in NAMES.items()}
    assert reverse_dns.run() == 0
    assert len(server.asked) == 4


def test_it_asks_again_when_a_name_has_expired(server: DnsServer) -> None:
    switch_on(server)
    group(client_ip="10.0.0.1", server_ip="10.0.0.3")
    now = timezone.now()
    settings = NameSettings.objects.get()
    assert reverse_dns.look_up(["10.0.0.1", "10.0.0.3"], settings, now) == 2
    assert reverse_dns.due_addresses(now + dt.timedelta(minutes=59), 10) == []
    Group.objects.update(first_seen=now + DAY)
    late = dt.timedelta(minutes=61)
    assert reverse_dns.due_addresses(now + late, 10) == ["10.0.0.3"]
    assert HostName.objects.get(address="10.0.0.1").expires == now + DAY


def test_it_leaves_imported_names_alone(server: DnsServer) -> None:
    switch_on(server)
    HostName.objects.create(address="10.0.0.1", name="ours")
    group(client_ip="10.0.0.1")
    assert reverse_dns.run() == 0
    reverse_dns.keep([reverse_dns.Answer("10.0.0.1", "theirs", DAY)], timezone.now())
    assert names_of(["10.0.0.1"]) == {"10.0.0.1": "ours"}


def test_it_keeps_a_name_that_dns_does_not_confirm_for_now(server: DnsServer) -> None:
    now = timezone.now()
    HostName.objects.create(address="10.0.0.9", name="known", source=NameSource.DNS, expires=now - DAY)
    switch_on(server)
    group(client_ip="10.0.0.9")
    assert reverse_dns.look_up(["10.0.0.9"], NameSettings.objects.get(), now) == 1
    kept = HostName.objects.get(address="10.0.0.9")
    assert (kept.name, kept.expires) == ("known", now + reverse_dns.FAILED_FOR)


def test_it_shares_one_rate_between_all_who_ask(server: DnsServer) -> None:
    switch_on(server, per_second=5)
    now = timezone.now()
    assert [reverse_dns.take(3, now), reverse_dns.take(3, now), reverse_dns.take(3, now)] == [3, 2, 0]
    assert reverse_dns.take(9, now + dt.timedelta(milliseconds=400)) == 2
    assert reverse_dns.take(9, now + dt.timedelta(seconds=60)) == 5


def test_it_forgets_names_nobody_has_had_for_a_month() -> None:
    now = timezone.now()
    HostName.objects.create(address="10.0.0.1", name="old", source=NameSource.DNS, expires=now - 31 * DAY)
    HostName.objects.create(address="10.0.0.2", name="ours")
    assert reverse_dns.forget(now) == 1
