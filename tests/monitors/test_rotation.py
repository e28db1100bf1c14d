"""A new key for tokens: whatever moment the rotation dies in, all of them can be read, and the next run ends it."""

from __future__ import annotations

import io
import os
import random
import subprocess
import sys
import time
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.core.management import CommandError, call_command
from django.db import connection

from cclear.environment import ROOT
from monitors import rotation, secrets
from monitors.models import Node, NodeGroup

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def keys(settings: Any, tmp_path: Path) -> Path:
    settings.NODE_KEYS = tmp_path / "node_keys"
    for n in range(3):
        Node.objects.create(name=f"n{n}", url=f"http://127.0.0.1:{n + 1}", token=f"token {n}")
    NodeGroup.objects.create(name="g", token="token g")
    return tmp_path / "node_keys"


def tokens() -> list[str]:
    found = Node.objects.order_by("name").values_list("token", flat=True)
    return [*found, NodeGroup.objects.get(name="g").token]


EXPECTED = ["token 0", "token 1", "token 2", "token g"]


def raw() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT token FROM monitors_node UNION ALL SELECT token FROM monitors_nodegroup")
        return [token for (token,) in cursor.fetchall() if token]


def test_it_encrypts_everything_with_a_new_key_and_removes_the_old(keys: Path) -> None:
    before, (old,) = raw(), keys.read_text().split()
    assert rotation.rotate(grace_s=0) == rotation.Rotation(encrypted=4, removed_keys=1)
    (new,) = keys.read_text().split()
    assert new != old and not set(raw()) & set(before)
    assert tokens() == EXPECTED, "a process that runs follows the file"
    for token in raw():
        with pytest.raises(secrets.InvalidToken):
            Fernet(old + "=").decrypt(token.encode())
    assert keys.stat().st_mode & 0o777 == 0o600


# What the rotation does, in its order; a kill is a death right before one of them, or in the middle of the second.
DEATHS = [("_write", 0), ("_encrypt", 0), ("_write", 1), ("_encrypt", 1)]


@pytest.mark.parametrize(("step", "nth"), DEATHS)
def test_it_may_be_killed_at_any_moment(keys: Path, monkeypatch: Any, step: str, nth: int) -> None:
    real, calls = getattr(rotation, step), []

    def dying(*args: Any) -> Any:
        calls.append(args)
        if len(calls) > nth:
            raise KeyboardInterrupt
        return real(*args)

    monkeypatch.setattr(rotation, step, dying)
    with pytest.raises(KeyboardInterrupt):
        rotation.rotate(grace_s=0)
    assert tokens() == EXPECTED
    monkeypatch.undo()
    rotation.rotate(grace_s=0)
    assert tokens() == EXPECTED
    assert len(keys.read_text().split()) == 1


def test_it_takes_all_rows_or_none(keys: Path, monkeypatch: Any) -> None:
    """Dead in the middle of the transaction."""
    rotation.add_key()
    before = raw()
    fits, seen = rotation._fits, []

    def dying(ring: Any, token: str) -> bool:
        seen.append(token)
        if len(seen) > 4:
            raise KeyboardInterrupt
        return fits(ring, token)

    monkeypatch.setattr(rotation, "_fits", dying)
    with pytest.raises(KeyboardInterrupt):
        rotation.finish(grace_s=0)
    assert raw() == before
    assert tokens() == EXPECTED


def test_it_mends_what_was_written_with_the_old_key_meanwhile(keys: Path, monkeypatch: Any) -> None:
    write = rotation._write

    def late(found: list[str]) -> None:
        if len(found) == 1:
            old = secrets.ring(keys.read_text().split()[1:])
            with connection.cursor() as cursor:
                cursor.execute("UPDATE monitors_node SET token = %s WHERE name = 'n1'", [old.encrypt(b"late").decode()])
        write(found)

    monkeypatch.setattr(rotation, "_write", late)
    rotation.rotate(grace_s=0)
    assert Node.objects.get(name="n1").token == "late"


def test_it_is_done_in_steps_where_several_hosts_share_the_keys(keys: Path) -> None:
    out = io.StringIO()
    before = raw()
    call_command("rotate_secrets", "--add", stdout=out)
    assert "Copy it to the other hosts" in out.getvalue()
    assert len(keys.read_text().split()) == 2 and raw() == before
    call_command("rotate_secrets", "--finish", stdout=out)
    assert "4 tokens encrypted anew, 1 old keys removed" in out.getvalue()
    assert tokens() == EXPECTED


def test_it_leaves_alone_and_names_what_no_key_fits(keys: Path) -> None:
    stray = Fernet(Fernet.generate_key()).encrypt(b"x").decode()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE monitors_node SET token = %s WHERE name = 'n2'", [stray])
    assert rotation.rotate(grace_s=0).unreadable == ["node n2"]
    assert stray in raw()


def test_it_says_what_is_wrong_with_the_file(keys: Path) -> None:
    keys.write_text("nonsense\n")
    with pytest.raises(CommandError, match="holds no keys that can be read"):
        call_command("rotate_secrets")
    keys.unlink()
    with pytest.raises(CommandError, match="copy it back"):
        call_command("rotate_secrets", "--add")
    assert rotation.unreadable() == ["node n0", "node n1", "node n2", "node group g"]


def test_it_runs_alone(keys: Path) -> None:
    with rotation._alone(), pytest.raises(CommandError, match="Another rotation"):
        call_command("rotate_secrets", "--finish")


@pytest.mark.parametrize("content", [None, "nonsense\n", "A" * 43 + "\n"])
def test_it_begins_anew_where_the_keys_are_lost(keys: Path, content: str | None) -> None:
    keys.unlink()
    if content is not None:
        keys.write_text(content)
    out = io.StringIO()
    call_command("rotate_secrets", "--forget", stdout=out)
    assert "node n0: its token is removed: write it again" in out.getvalue()
    assert raw() == [] and rotation.unreadable() == []
    Node.objects.update(token="new")
    assert {node.token for node in Node.objects.all()} == {"new"}


def test_it_forgets_nothing_that_can_be_read(keys: Path) -> None:
    assert rotation.forget() == []
    assert tokens() == EXPECTED


def test_processes_that_run_read_all_tokens_throughout(keys: Path) -> None:
    stop, wrong, reads = Event(), [], []

    def read() -> None:
        try:
            while not stop.is_set():
                found = tokens()
                reads.append(1)
                if found != EXPECTED:
                    wrong.append(found)
        finally:
            connection.close()

    threads = [Thread(target=read) for _ in range(2)]
    for thread in threads:
        thread.start()
    for _ in range(4):
        rotation.rotate(grace_s=0.2)
    stop.set()
    for thread in threads:
        thread.join()
    assert wrong == [] and len(reads) > 10


def test_it_may_really_be_killed(keys: Path) -> None:
    """Whole processes, dead at moments that nobody chose."""
    tokens()
    environment = {**os.environ, "NODE_KEYS": str(keys)}
    command = [sys.executable, str(ROOT / "manage.py"), "shell", "-v", "0", "-c", LOOP]
    chance = random.Random(4)
    for _ in range(4):
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None and process.stdout.readline() == b"begun\n"
            time.sleep(chance.uniform(0.0, 0.3))
            process.kill()
        assert tokens() == EXPECTED
    assert rotation.rotate(grace_s=0).unreadable == []
    assert tokens() == EXPECTED and len(keys.read_text().split()) == 1


LOOP = """
from monitors import rotation
print("begun", flush=True)
while True:
    rotation.rotate(grace_s=0)
"""
