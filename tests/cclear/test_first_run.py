"""From an empty database to a console that shows something."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import authenticate, get_user_model

from cclear import first_run
from cclear.supervise.layout import Layout
from monitors.models import Monitor, Node

pytestmark = pytest.mark.django_db


@pytest.fixture
def layout(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, settings: Any) -> Layout:
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    settings.DATA_DIR = tmp_path
    (tmp_path / "secrets").mkdir()
    return Layout.from_environment()


def test_it_makes_the_first_user_once(layout: Layout) -> None:
    password = first_run.first_user()
    assert password
    user = authenticate(username="admin", password=password)
    assert user is not None
    assert user.is_superuser
    assert list(user.groups.values_list("name", flat=True)) == ["admin"]
    assert first_run.first_user() is None


def test_it_writes_the_password_where_only_its_owner_reads_it(layout: Layout) -> None:
    password = first_run.first_user()
    file = layout.data / "first-password"
    assert file.read_text().strip() == password
    assert file.stat().st_mode & 0o777 == 0o600


def test_it_makes_no_user_where_there_are_some(layout: Layout) -> None:
    get_user_model().objects.create_user("somebody")
    assert first_run.first_user() is None
    assert not (layout.data / "first-password").exists()


def test_it_adds_the_nodes_and_moves_them_with_their_ports(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    first_run.add_nodes(layout)
    monkeypatch.setenv("CSTOR_A_API_PORT", "9801")
    first_run.add_nodes(Layout.from_environment())
    assert list(Node.objects.values_list("name", "url")) == [
        ("cstor-a", "http://127.0.0.1:9801"),
        ("cstor-b", "http://127.0.0.1:8802"),
    ]


def test_it_adds_the_first_monitors_once_and_leaves_deleted_ones_alone(layout: Layout) -> None:
    nodes = first_run.add_nodes(layout)
    first_run.add_first_monitors(layout, nodes)
    assert Monitor.objects.count() == len(first_run.MONITORS)
    assert {monitor.nodes.count() for monitor in Monitor.objects.all()} == {2}
    Monitor.objects.all().delete()
    first_run.add_first_monitors(layout, nodes)
    assert Monitor.objects.count() == 0


def test_it_adds_the_monitors_of_the_nodes_themselves_once(layout: Layout) -> None:
    first_run.add_nodes(layout)
    first_run.add_capture_monitors()
    found = Monitor.objects.about("node") | Monitor.objects.about("points")
    assert {monitor.name: monitor.targets.count() for monitor in found} == {"Capture health": 2, "Links": 2}
    found.delete()
    first_run.add_capture_monitors()
    assert Monitor.objects.count() == 0
