"""Secrets of nodes: encrypted at rest with keys from a file, never readable from the database alone.

The file `NODE_KEYS` of the settings (in DATA_DIR, mode 0600) holds one Fernet key per line (AES-128-CBC and
HMAC-SHA256, https://github.com/fernet/spec). The first encrypts, all decrypt, so that a rotation
(`monitors.rotation`) may stop at any moment and be taken up again.
"""

from __future__ import annotations

import logging
import os
import re
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.db import connection, models

log = logging.getLogger(__name__)

# How the Fernet format begins, whatever is encrypted.
MARK = "gAAAA"
UNREADABLE = "its token cannot be read with the present key file: write it again"
# What a header can carry (RFC 6750); anything else would end up in the words of an error.
_TOKEN = re.compile(r"[\x21-\x7e]*")


class KeyProblem(ImproperlyConfigured):
    """The key file is missing or holds no keys; the text says what to do."""


def validate_token(value: str) -> None:
    """Visible ASCII without spaces; the message never repeats the token."""
    if not _TOKEN.fullmatch(value):
        raise ValidationError("A token has no spaces, line ends or letters beyond ASCII: copy it without them.")


def key_file() -> Path:
    return Path(settings.NODE_KEYS)


def key_ring() -> MultiFernet:
    """The keys as the file has them now: a rotation elsewhere is seen at once, for the price of a stat."""
    path = key_file()
    try:
        status = path.stat()
    except OSError as error:
        raise KeyProblem(f"{path}: {error.strerror}. It holds the keys of the nodes' tokens.") from None
    return _read(path, (status.st_ino, status.st_mtime_ns, status.st_size))


@lru_cache(maxsize=2)
def _read(path: Path, version: tuple[int, int, int]) -> MultiFernet:
    """The ring of this version of the file; rotations replace the file, so every one is a new inode."""
    try:
        return ring(path.read_text().split())
    except (OSError, ValueError) as error:
        raise KeyProblem(f"{path}: {error}. It holds the keys of the nodes' tokens, one per line.") from None


def ring(keys: list[str]) -> MultiFernet:
    """The first encrypts; padding may be missing."""
    return MultiFernet([Fernet(key.rstrip("=") + "=") for key in keys])


def encrypt(text: str) -> str:
    if not text:
        return ""
    ensure_key_file()
    return key_ring().encrypt(text.encode()).decode()


def ensure_key_file() -> None:
    """Make the file where there is none, unless tokens wait for the one that is gone: a new key would hide that."""
    path = key_file()
    if path.exists():
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM (SELECT token FROM monitors_node UNION ALL SELECT token FROM monitors_nodegroup) t"
            " WHERE token LIKE %s",
            [MARK + "%"],
        )
        (n,) = cursor.fetchone()
    if n:
        raise KeyProblem(
            f"{path} is missing, and {n} tokens are encrypted with its keys: copy it back from a backup or from the"
            " host that has it. If it is lost, `manage.py rotate_secrets --forget` removes those tokens; then write"
            " them again."
        )
    hidden = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(hidden, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(Fernet.generate_key().decode().rstrip("=") + "\n")
        file.flush()
        os.fsync(file.fileno())
    # Another process may have been first: its key counts.
    with suppress(FileExistsError):
        os.link(hidden, path)
    hidden.unlink()


class Unreadable(str):
    """In place of a secret that no key fits: empty, so it is sent to nobody; `stored` is what the database has."""

    stored: str = ""

    @classmethod
    def of(cls, stored: str) -> Unreadable:
        found = cls()
        found.stored = stored
        return found


def decrypt(stored: str) -> str:
    """The secret; `Unreadable` where no key of the file fits, since a list of nodes must still be shown."""
    if not stored:
        return ""
    try:
        return key_ring().decrypt(stored.encode()).decode()
    except InvalidToken:
        _complain(stored, f"no key in {key_file()} fits")
    except KeyProblem as problem:
        _complain(stored, str(problem))
    return Unreadable.of(stored)


@lru_cache(maxsize=1000)
def _complain(stored: str, why: str) -> None:
    """Once for each token and reason: nodes are read every second."""
    log.error("a node's token cannot be read, write it again: %s", why)


class EncryptedTextField(models.TextField):
    """Text in Python, encrypted in the database. It cannot be searched for, and leaves with no export."""

    description = "encrypted text"

    def from_db_value(self, value: str | None, expression: Any, connection: Any) -> str | None:
        return None if value is None else decrypt(value)

    def get_prep_value(self, value: Any) -> str | None:
        if isinstance(value, Unreadable):
            # Saved with the rest of its row, it must outlive the time in which its key is away.
            return value.stored
        return None if value is None else encrypt(str(value))

    def value_to_string(self, obj: models.Model) -> str:
        """`dumpdata` writes it into a file that anybody may read."""
        return ""
