"""CSV of every panel."""

from __future__ import annotations

import csv
import io
import json
import zipfile

import pytest
from django.test import Client

from dashboards.models import Dashboard
from tests.dashboards.samples import cover
from tests.dashboards.traffic import END, START, Traffic

URL = f"/d/monitor/export/?format=csv&monitor=web&from={START}&to={END}"


def opened(client: Client, url: str = URL) -> zipfile.ZipFile:
    answer = client.get(url)
    assert answer["Content-Type"] == "application/zip"
    assert answer["Content-Disposition"] == 'attachment; filename="cclear-monitor-20260101T101000Z.zip"'
    return zipfile.ZipFile(io.BytesIO(answer.content))


def rows(archive: zipfile.ZipFile, name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(archive.read(name).decode())))


def test_it_has_a_file_for_every_panel(viewer: Client, traffic: Traffic) -> None:
    archive = opened(viewer)
    panels = Dashboard.objects.get(slug="monitor").panels.count()
    assert len(archive.namelist()) == 1 + 2 * panels
    assert archive.testzip() is None


def test_it_has_the_numbers_unrounded_with_iso_times(viewer: Client, traffic: Traffic) -> None:
    over_time = rows(opened(viewer), "04-throughput.csv")
    assert over_time[0]["time"] == "2026-01-01T10:10:00Z"
    assert len(over_time) == (END - START) // 10
    assert sum(float(row["value"]) for row in over_time) * 10 / 8 == pytest.approx(traffic.bytes_of())
    assert over_time[0]["unit"] == "bit/s"


def test_it_leaves_gaps_empty(viewer: Client, traffic: Traffic) -> None:
    for node in traffic.nodes:
        cover(traffic.web, node, (START, START + 100), (START + 200, END))
    found = rows(opened(viewer), "04-throughput.csv")
    assert [row["value"] for row in found[10:20]] == [""] * 10
    assert all(row["value"] for row in found[:10])


def test_it_keeps_the_keys_of_groups(viewer: Client, traffic: Traffic) -> None:
    found = rows(opened(viewer), "summary/08-top-conversations.csv")
    assert {"client_ip", "server_ip", "server_port", "protocol", "metric", "stat", "unit", "value"} <= set(found[0])
    assert any(row["client_ip"] == "10.0.0.8" and row["metric"] == "failures" for row in found)


def test_it_says_what_was_asked(viewer: Client, traffic: Traffic) -> None:
    about = json.loads(opened(viewer).read("about.json"))
    assert (about["from"], about["to"]) == ("2026-01-01T10:10:00Z", "2026-01-01T10:20:00Z")
    assert about["panels"][3]["query"]["monitors"] == ["web"]


def test_it_names_a_panel_that_could_not_be_asked(viewer: Client, traffic: Traffic) -> None:
    about = json.loads(opened(viewer, URL + "&filter=vni+5").read("about.json"))
    assert "does not keep vni" in about["panels"][0]["problem"]
