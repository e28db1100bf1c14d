"""A new key for the secrets of nodes, so that at any moment every key in use is in the key file.

Three steps: the new key goes into the file before the old ones; everything is encrypted anew in one transaction; the
old keys go. Killed between or within any of them, all tokens stay readable, and the next run takes it up.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.db import connection, transaction

from monitors.secrets import KeyProblem, ensure_key_file, key_file, ring

# (table, what its rows are called): every column with a secret is here; a test looks for others.
SECRETS = (("monitors_node", "node"), ("monitors_nodegroup", "node group"))
# A process that encrypted with the old key has written its row by then, one that has read a row has decrypted it.
GRACE_S = 2.0


@dataclass
class Rotation:
    """What was done: `unreadable` names whose token no key fits."""

    encrypted: int = 0
    removed_keys: int = 0
    unreadable: list[str] = field(default_factory=list)


def rotate(grace_s: float = GRACE_S) -> Rotation:
    """All three steps."""
    add_key()
    time.sleep(grace_s)
    return finish(grace_s)


def add_key() -> None:
    """A new key becomes the first: it encrypts from now on, and all older ones still decrypt."""
    ensure_key_file()
    with _alone():
        _write([Fernet.generate_key().decode().rstrip("="), *_file_keys()])


def finish(grace_s: float = GRACE_S) -> Rotation:
    """Encrypt with the first key what is not, and take the others out of the file."""
    with _alone():
        keys = _file_keys()
        done = _encrypt(keys)
        time.sleep(grace_s)
        _write(keys[:1])
        # Whoever wrote with an old key until now: it is still at hand.
        done.encrypted += _encrypt(keys).encrypted
        done.removed_keys = len(keys) - 1
    return done


def forget() -> list[str]:
    """Remove the tokens that no key fits, where the key is lost for ever; whose they were."""
    names = unreadable()
    try:
        known: MultiFernet | None = ring(_file_keys())
    except KeyProblem:
        known = None
    with transaction.atomic(), connection.cursor() as cursor:
        for table, pk, _, token in _rows(cursor, "FOR UPDATE"):
            if known is None or not _fits(known, token):
                cursor.execute(f"UPDATE {table} SET token = '' WHERE id = %s", [pk])
    if known is None:
        key_file().unlink(missing_ok=True)
    ensure_key_file()
    return names


def unreadable() -> list[str]:
    """Whose tokens no key of the file fits, by kind and name; all of them where it has no keys."""
    try:
        known: MultiFernet | None = ring(_file_keys())
    except KeyProblem:
        known = None
    with connection.cursor() as cursor:
        return [name for _, _, name, token in _rows(cursor) if known is None or not _fits(known, token)]


def _encrypt(keys: list[str]) -> Rotation:
    """In one transaction; rows that are being written are waited for."""
    done = Rotation()
    new, every = ring(keys[:1]), ring(keys)
    with transaction.atomic(), connection.cursor() as cursor:
        for table, pk, name, token in _rows(cursor, "FOR UPDATE"):
            if _fits(new, token):
                continue
            if not _fits(every, token):
                done.unreadable.append(name)
                continue
            cursor.execute(f"UPDATE {table} SET token = %s WHERE id = %s", [every.rotate(token).decode(), pk])
            done.encrypted += 1
    return done


def _rows(cursor: Any, lock: str = "") -> list[tuple[str, int, str, str]]:
    """(table, id, whose, encrypted token) of all that have one."""
    found = []
    for table, kind in SECRETS:
        cursor.execute(f"SELECT id, name, token FROM {table} WHERE token <> '' ORDER BY id {lock}")
        found += [(table, pk, f"{kind} {name}", token) for pk, name, token in cursor.fetchall()]
    return found


def _fits(keys: MultiFernet, token: str) -> bool:
    try:
        keys.decrypt(token.encode())
    except InvalidToken:
        return False
    return True


def _file_keys() -> list[str]:
    try:
        keys = key_file().read_text().split()
        ring(keys)
    except (OSError, ValueError) as error:
        raise KeyProblem(f"{key_file()} holds no keys that can be read ({error}).") from None
    return keys


def _write(keys: list[str]) -> None:
    """Whole or not at all, on disk before it counts, readable by its owner only."""
    path = key_file()
    hidden = path.with_name(f".{path.name}.new")
    descriptor = os.open(hidden, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        os.fchmod(descriptor, 0o600)
        file.write("\n".join(keys) + "\n")
        file.flush()
        os.fsync(descriptor)
    owner = path.stat()
    if owner.st_uid != os.geteuid():
        os.chown(hidden, owner.st_uid, owner.st_gid)
    hidden.replace(path)
    _sync(path.parent)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _alone() -> Iterator[None]:
    """One rotation at a time; the lock ends with its process."""
    with key_file().with_name(f"{key_file().name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise KeyProblem("Another rotation is running; wait for its end.") from None
        yield
