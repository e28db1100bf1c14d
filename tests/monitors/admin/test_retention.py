"""Retention in the admin: one form, what is stored and what went, and words for what makes no sense."""

from __future__ import annotations

import datetime as dt

import pytest

from monitors.admin.retention import forecast, size_words
from monitors.models import Monitor, Partition, Retention
from monitors.series.retention import remove_old
from monitors.series.rollup import roll_up
from tests.monitors.cast import visitor
from tests.monitors.clock import NOW, pull
from tests.monitors.stub_node import StubNode

pytestmark = pytest.mark.django_db
PAGE = "/admin/monitors/retention/1/change/"
FORM = {
    "days_1": 1, "days_10": 5, "days_60": 20, "days_600": 100, "days_3600": 1000, "days_86400": 3000,
    "budget_gb": "12.5",
}  # fmt: skip


def test_it_leads_to_the_one_form_and_keeps_it() -> None:
    client = visitor("operator")
    answer = client.get("/admin/monitors/retention/")
    assert (answer.status_code, answer["Location"]) == (302, PAGE)
    assert "Nothing was removed yet" in client.get(PAGE).content.decode()
    assert client.post(PAGE, FORM).status_code == 302
    kept = Retention.of_site()
    assert (kept.days_10, kept.budget_gb) == (5, 12.5)
    assert client.post(PAGE, FORM | {"budget_gb": ""}).status_code == 302
    assert Retention.of_site().budget_gb is None
    assert client.get("/admin/monitors/retention/add/").status_code == 403


def test_it_says_what_makes_no_sense() -> None:
    client = visitor("operator")
    page = client.post(PAGE, FORM | {"days_60": 4}).content.decode()
    assert "Keep it at least as long as the finer step, 5 days" in page
    assert client.post(PAGE, FORM | {"budget_gb": "0"}).status_code == 200
    assert client.post(PAGE, FORM | {"days_1": ""}).status_code == 200
    assert Retention.of_site().days_60 == 30


def test_it_shows_what_is_stored_and_what_was_removed(stub: StubNode, monitor: Monitor) -> None:
    stub.add(NOW - 100)
    pull()
    roll_up(NOW + 90_000)
    Partition.objects.filter(step=10).update(last_write=dt.datetime.now(dt.UTC) - dt.timedelta(days=8))
    remove_old(dt.datetime.now(dt.UTC).timestamp())
    page = visitor("viewer").get(PAGE)
    assert page.status_code == 302, "the admin is for operators"
    text = visitor("operator").get(PAGE).content.decode()
    assert "kept for 7 days" in text
    assert "2025-10-09 00:00" in text
    assert "% of the budget of" in text


def test_it_puts_sizes_and_forecasts_into_words() -> None:
    assert [size_words(n).replace("\u00a0", " ") for n in (12, 1500, 2_000_000, 20_000_000_000, 3 * 10**12)] == [
        "12 B", "1.5 kB", "2.0 MB", "20.0 GB", "3.0 TB",
    ]  # fmt: skip
    day = dt.date(2026, 1, 2)
    assert "2026-01-02" in forecast(1, 2, 1.0, day)
    assert "not be reached" in forecast(1, 2, 1.0, None)
    assert "no forecast" in forecast(1, 2, 0.0, None)
    assert "is reached" in forecast(3, 2, 1.0, day)
