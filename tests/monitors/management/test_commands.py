"""Commands that set a console up: each may be run again."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from monitors.models import Monitor, Node
from tests.monitors.stub_node import StubNode

pytestmark = pytest.mark.django_db


def test_it_adds_a_node_and_a_monitor_and_updates_them(stub: StubNode, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("secret\n")
    stub.token = "secret"
    call_command("add_node", "a", stub.url, token_file=token, check=True, stdout=StringIO())
    call_command("add_monitor", "All traffic", stdout=StringIO())
    call_command("add_monitor", "All traffic", filter="port 443", nodes="a", top=7, stdout=StringIO())
    monitor = Monitor.objects.get()
    assert (monitor.filter, monitor.top_n, monitor.revision) == ("port 443", 7, 2)
    assert list(monitor.nodes.all()) == [Node.objects.get()]
    assert Node.objects.get().token == "secret"


def test_it_says_what_is_wrong(stub: StubNode) -> None:
    with pytest.raises(CommandError, match="no node is called 'nobody'"):
        call_command("add_monitor", "x", nodes="nobody")
    with pytest.raises(CommandError, match=r"filter: .*column"):
        call_command("add_monitor", "x", filter="tcp prot 443")
    with pytest.raises(CommandError, match="http://HOST:PORT"):
        call_command("add_node", "a", "nonsense")
    stub.token = "secret"
    with pytest.raises(CommandError, match="refused our token"):
        call_command("add_node", "a", stub.url, check=True)
