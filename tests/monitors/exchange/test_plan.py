"""Imports: looked over first, taken in as a whole or not at all, and nothing happens the second time."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.management.base import CommandError

from monitors import history
from monitors.exchange.plan import ImportPlan, ImportRefused, apply, make_plan, write
from monitors.models import Monitor, Node, NodeGroup
from monitors.models.monitor import default_steps

pytestmark = pytest.mark.django_db


@pytest.fixture
def web(db: None) -> Monitor:
    monitor = Monitor.objects.create(name="Web", filter="port 443", tags=["a"], thresholds={"network_latency": [1, 2]})
    monitor.nodes.add(Node.objects.create(name="edge", url="http://127.0.0.1:1"))
    monitor.groups.add(NodeGroup.objects.create(name="core"))
    return monitor


def statuses(plan: ImportPlan) -> list[str]:
    return [item.status for item in plan.items]


@pytest.mark.parametrize("form", ["yaml", "csv"])
def test_an_export_changes_nothing_when_it_comes_back(web: Monitor, form: str) -> None:
    Monitor.objects.create(name="Plain", resolution=60, interval_s=60)
    Monitor.objects.create(name="Nodes", kind="capture_health", keys=["source", "node"])
    text = write(list(Monitor.objects.all()), form)
    assert statuses(make_plan(text, form)) == ["same"] * 3


@pytest.mark.parametrize("form", ["yaml", "csv"])
def test_it_makes_monitors_anew(web: Monitor, form: str) -> None:
    text = write([web], form)
    Monitor.objects.all().delete()
    plan = make_plan(text, form)
    assert statuses(plan) == ["new"]
    apply(plan, None, "import")
    made = Monitor.objects.get()
    assert (made.slug, made.filter, made.tags) == ("web", "port 443", ["a"])
    assert made.thresholds == {"network_latency": [1.0, 2.0]}
    assert [node.name for node in made.nodes.all()] == ["edge"]
    assert [group.name for group in made.groups.all()] == ["core"]
    assert statuses(make_plan(text, form)) == ["same"]


def test_what_a_file_leaves_out_stays_or_has_its_default(web: Monitor) -> None:
    text = "monitors:\n- slug: web\n  top_n: 7\n- name: DNS\n  filter: udp port 53\n"
    plan = make_plan(text, "yaml")
    assert statuses(plan) == ["changed", "new"]
    assert [str(change) for change in plan.items[0].changes] == ["Top N groups: 50 → 7"]
    apply(plan, get_user_model().objects.create_user("olivia"), "import")
    web.refresh_from_db()
    assert (web.top_n, web.filter, web.revision) == (7, "port 443", 1)
    dns = Monitor.objects.get(name="DNS")
    assert (dns.keys, dns.steps, dns.enabled) == (
        ["client_ip", "server_ip", "server_port", "protocol"],
        default_steps(),
        True,
    )
    (event,) = history.events(web)
    assert (event.who, event.way, event.changes) == ("olivia", "import", ("Top N groups: 50 → 7",))


def test_it_says_line_by_line_what_is_wrong_and_imports_nothing(web: Monitor) -> None:
    text = """monitors:
- name: Good
- name: Bad
  filter: tcp prot 443
  nodes: [edge, nowhere]
- name: Web
  resolution: 1
- name: Web
- slug: UPPER
  name: x
  thresholds: {network_latency: [2, 1]}
"""
    plan = make_plan(text, "yaml")
    assert statuses(plan) == ["new", "wrong", "wrong", "wrong", "wrong"]
    told = "\n".join(problem for item in plan.items for problem in item.problems)
    assert "line 5: nodes: no node is called 'nowhere'; there are: edge" in told
    assert "line 7: resolution: it is 10 s and cannot be changed" in told
    assert "stands in line 6 already" in told
    assert "line 9: slug: a slug has small letters" in told
    assert "amber is above 0 and at most red" in told
    with pytest.raises(ImportRefused, match="4 of 5 entries are wrong"):
        apply(plan, None, "import")
    assert Monitor.objects.count() == 1


def test_it_points_at_a_filter(web: Monitor) -> None:
    (item,) = make_plan("name,filter\nx,tcp prot 443\n", "csv").items
    assert item.problems == ("filter: unknown word 'prot'; is 'proto' meant? (column 5)",)


def test_two_new_ones_cannot_have_one_name_or_slug(db: None) -> None:
    assert statuses(make_plan("name\nx\nx\n", "csv")) == ["new", "wrong"]
    plan = make_plan("name,slug\nx,s\ny,s\n", "csv")
    with pytest.raises(ImportRefused):
        apply(plan, None, "import")
    assert not Monitor.objects.exists()


def test_the_commands(web: Monitor, tmp_path: Path) -> None:
    file = tmp_path / "monitors.csv"
    call_command("export_monitors", output=file, stdout=StringIO())
    file.write_text(file.read_text().replace("port 443", "port 80"))
    out = StringIO()
    call_command("import_monitors", str(file), dry_run=True, stdout=out)
    assert "Filter: port 443 → port 80" in out.getvalue()
    assert "nothing was changed" in out.getvalue()
    web.refresh_from_db()
    assert web.filter == "port 443"
    get_user_model().objects.create_superuser("root")
    call_command("import_monitors", str(file), stdout=StringIO())
    web.refresh_from_db()
    assert (web.filter, web.revision) == ("port 80", 2)
    assert history.events(web)[0].who == "root"
    out = StringIO()
    call_command("export_monitors", "web", stdout=out)
    assert "filter: port 80" in out.getvalue()
    with pytest.raises(CommandError, match="no monitor is called 'x'"):
        call_command("export_monitors", "x")
    with pytest.raises(CommandError, match="No such file"):
        call_command("import_monitors", str(tmp_path / "none"))
    file.write_text("name,nodes\nz,nowhere\n")
    with pytest.raises(CommandError, match="nothing was imported"):
        call_command("import_monitors", str(file), stdout=StringIO())


@pytest.mark.parametrize("form", ["yaml", "csv"])
def test_lines_end_alike_whoever_sent_them(web: Monitor, form: str) -> None:
    web.description = "one\ntwo"
    web.save()
    text = write([web], form)
    assert statuses(make_plan(text.replace("\n", "\r\n"), form)) == ["same"]
