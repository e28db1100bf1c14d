"""Secrets of nodes: what the database holds, what a lost or opened key file does, and that nothing shows a token."""

from __future__ import annotations

import io
import json
import logging
from pathlib import Path
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.core.checks import run_checks
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.db import connection, models, transaction

from monitors import rotation
from monitors.models import Node, NodeGroup
from monitors.nodes.client import NodeClient, NodeError
from monitors.secrets import EncryptedTextField, KeyProblem, Unreadable, validate_token
from tests.monitors.cast import visitor
from tests.monitors.stub_node import StubNode

pytestmark = pytest.mark.django_db

SECRET = "tok-3141592653589793"


@pytest.fixture
def keys(settings: Any, tmp_path: Path) -> Path:
    """A key file of this test alone, which is not there yet."""
    settings.NODE_KEYS = tmp_path / "node_keys"
    return tmp_path / "node_keys"


def raw(table: str = "monitors_node") -> str:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT token FROM {table} WHERE token <> ''")
        (token,) = cursor.fetchone()
    return token


def problems(*ids: str) -> list[str]:
    return [check.msg for check in run_checks(databases=["default"]) if check.id in ids]


def test_it_encrypts_what_the_database_holds(keys: Path) -> None:
    Node.objects.create(name="n", url="http://127.0.0.1:9", token=SECRET)
    NodeGroup.objects.create(name="g", token=SECRET)
    for table in ("monitors_node", "monitors_nodegroup"):
        assert raw(table).startswith("gAAAA") and SECRET not in raw(table)
    assert raw("monitors_node") != raw("monitors_nodegroup"), "equal tokens cannot be told from the database"
    assert (Node.objects.get().token, NodeGroup.objects.get(name="g").token) == (SECRET, SECRET)
    assert keys.stat().st_mode & 0o777 == 0o600


def test_it_knows_every_column_that_holds_a_secret() -> None:
    from django.apps import apps

    found = {
        (model._meta.db_table, field.column)
        for model in apps.get_models()
        for field in model._meta.get_fields()
        if isinstance(field, EncryptedTextField)
    }
    assert found == {(table, "token") for table, _ in rotation.SECRETS}


def test_it_says_that_a_token_cannot_be_read_and_keeps_it(keys: Path, stub: StubNode, caplog: Any) -> None:
    Node.objects.create(name="n", url=stub.url, token=SECRET)
    stored, kept = raw(), keys.read_bytes()
    keys.unlink()
    node = Node.objects.get()
    assert isinstance(node.token, Unreadable) and not node.token
    with pytest.raises(NodeError, match="write it again"):
        NodeClient(node).status()
    node.name = "renamed"
    node.save()
    assert raw() == stored, "saving the row does not lose what only the file can open"
    keys.write_bytes(kept)
    assert Node.objects.get().token == SECRET
    assert len([r for r in caplog.records if r.name == "monitors.secrets"]) == 1, "once, not at each look"


@pytest.mark.parametrize("content", ["", "nonsense\n", "A" * 43 + "\n"])
def test_it_lives_with_a_broken_key_file(keys: Path, content: str, node: Node) -> None:
    Node.objects.update(token=SECRET)
    keys.write_text(content)
    page = visitor("operator").get(f"/nodes/{node.pk}/").content.decode()
    assert "its token cannot be read with the present key file: write it again" in page


def test_it_makes_no_new_key_while_tokens_wait_for_the_old_one(keys: Path, node: Node) -> None:
    Node.objects.update(token=SECRET)
    keys.unlink()
    with transaction.atomic(), pytest.raises(KeyProblem, match="copy it back"), transaction.atomic():
        Node.objects.update(token="other")
    assert not keys.exists()
    fields = {"name": "stub", "url": node.url, "verify_tls": "on", "enabled": "on", "new_token": "other"}
    page = visitor("operator").post(f"/admin/monitors/node/{node.pk}/change/", fields).content.decode()
    assert "copy it back" in page


def test_it_checks_the_key_file(keys: Path, node: Node) -> None:
    Node.objects.update(token=SECRET)
    ids = ("monitors.E001", "monitors.W001", "monitors.W002")
    assert problems(*ids) == []
    keys.chmod(0o644)
    assert "can be read by others" in problems("monitors.W001")[0]
    keys.unlink()
    assert "is missing, and 1 tokens" in problems("monitors.E001")[0]
    keys.write_text("A" * 43 + "\n")
    assert "node stub" in problems("monitors.W002")[0]


@pytest.mark.parametrize("token", ["two words", "line\n", "ö", "tab\tbed"])
def test_it_refuses_what_no_header_carries_without_repeating_it(token: str, stub: StubNode) -> None:
    with pytest.raises(ValidationError) as caught:
        validate_token(token)
    assert token not in str(caught.value)
    with pytest.raises(NodeError) as refused:
        NodeClient(Node(name="n", url=stub.url, token=token)).status()
    assert token.strip() not in str(refused.value)


def test_it_does_not_repeat_a_token_that_the_node_repeats(node: Node, stub: StubNode) -> None:
    stub.http_status, stub.body = 403, json.dumps({"detail": f"Bearer {SECRET} is not mine"}).encode()
    Node.objects.update(token=SECRET)
    page = visitor("operator").post(f"/nodes/{node.pk}/test/", follow=True).content.decode()
    assert "is not mine" in page and SECRET not in page
    assert SECRET not in Node.objects.get().error


def test_it_shows_a_token_nowhere(keys: Path, node: Node, stub: StubNode, caplog: Any) -> None:
    caplog.set_level(logging.DEBUG)
    client = visitor("admin")
    fields = {"name": "stub", "url": stub.url, "verify_tls": "on", "enabled": "on", "new_token": SECRET}
    pages = [client.post(f"/admin/monitors/node/{node.pk}/change/", fields, follow=True)]
    pages += [client.post(f"/admin/monitors/node/{node.pk}/change/", fields | {"url": "nonsense"})]
    group = NodeGroup.objects.create(name="g", token=SECRET, address="http://127.0.0.1:9")
    for address in (
        f"/admin/monitors/node/{node.pk}/change/",
        f"/admin/monitors/node/{node.pk}/history/",
        f"/admin/monitors/nodegroup/{group.pk}/change/",
        "/admin/monitors/node/",
        "/nodes/",
        f"/nodes/{node.pk}/",
        f"/nodes/groups/{group.pk}/",
        "/api/v1/nodes/",
        f"/api/v1/nodes/{node.pk}/",
        f"/api/v1/node-groups/{group.pk}/",
        "/metrics",
    ):
        pages.append(client.get(address))
        assert pages[-1].status_code == 200, address
    for page in pages:
        assert SECRET not in page.content.decode()
    assert Node.objects.get().token == SECRET, "it was written"
    assert "Token" in LogEntry.objects.latest("pk").get_change_message()
    assert all(SECRET not in entry.change_message for entry in LogEntry.objects.all())
    out = io.StringIO()
    call_command("dumpdata", "monitors.node", "monitors.nodegroup", stdout=out)
    assert "stub" in out.getvalue() and SECRET not in out.getvalue() and "gAAAA" not in out.getvalue()
    assert SECRET not in caplog.text


def test_it_is_a_text_field_to_everything_else() -> None:
    assert issubclass(EncryptedTextField, models.TextField)
    assert EncryptedTextField().get_prep_value(None) is None
    assert EncryptedTextField().get_prep_value("") == ""
