"""A filter over monitors that keep keys of their own."""

from __future__ import annotations

import pytest
from django.db import connection

from monitors.models import Group, Monitor
from monitors.series.criteria import criteria_sql
from wire.filters.grammar import FilterError


@pytest.fixture
def monitors(db: None) -> list[Monitor]:
    by_conversation = Monitor.objects.create(name="conversations")
    by_server = Monitor.objects.create(name="servers", keys=["server_ip", "server_port"])
    for monitor in (by_conversation, by_server):
        for number, (client, port) in enumerate((("10.0.0.1", 443), ("10.9.0.1", 80))):
            keys = {"server_ip": "10.1.0.1", "server_port": port}
            if monitor == by_conversation:
                keys |= {"client_ip": client, "protocol": 6}
            Group.objects.create(
                monitor_id=monitor.pk, id=number + 10, revision=1, first_seen="2026-01-01T00:00:00Z", **keys
            )
    return [by_conversation, by_server]


def matches(text: str, monitors: list[Monitor]) -> set[tuple[int, int]]:
    condition, params = criteria_sql(text, monitors)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT monitor_id, id FROM monitors_group g WHERE {condition}", params or None)
        return set(cursor.fetchall())


def test_it_matches_in_every_monitor_that_keeps_the_key(monitors: list[Monitor]) -> None:
    one, other = (monitor.pk for monitor in monitors)
    assert matches("server port 443", monitors) == {(one, 10), (other, 10)}
    assert matches("client net 10.9.0.0/16", monitors[:1]) == {(one, 11)}
    assert len(matches("", monitors)) == 4


def test_it_says_which_monitor_lacks_a_key(monitors: list[Monitor]) -> None:
    with pytest.raises(FilterError, match="monitor servers does not keep client_ip"):
        criteria_sql("client host 10.0.0.1", monitors)


def test_it_points_at_the_word_that_is_wrong(monitors: list[Monitor]) -> None:
    with pytest.raises(FilterError, match=r"\(column 5\)"):
        criteria_sql("tcp prot 443", monitors)
