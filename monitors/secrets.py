"""Secrets of nodes: encrypted at rest with keys from a file, never readable from the database alone.

The file `NODE_KEYS` of the settings (in DATA_DIR, mode 0600) holds one Fernet key per line (AES-128-CBC and
HMAC-SHA256, https://github.com/fernet/spec). The first encrypts, all decrypt, so that a rotation may stop at any
moment and be taken up again.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.db import models

log = logging.getLogger(__name__)


def key_ring() -> MultiFernet:
    """The keys as the file has them now: a rotation elsewhere is seen at once."""
    return MultiFernet([Fernet(line.rstrip("=") + "=") for line in Path(settings.NODE_KEYS).read_text().split()])


def encrypt(text: str) -> str:
    return key_ring().encrypt(text.encode()).decode() if text else ""


class Unreadable(str):
    """In place of a secret whose key is gone: empty, so it is sent to nobody, and it says what it is."""

    __slots__ = ()


def decrypt(stored: str) -> str:
    """The secret; `Unreadable` where no key of the file fits, since a list of nodes must still be shown."""
    if not stored:
        return ""
    try:
        return key_ring().decrypt(stored.encode()).decode()
    except InvalidToken:
        log.error("a node's token cannot be read with the keys in %s: write the token again", settings.NODE_KEYS)
        return Unreadable()


class EncryptedTextField(models.TextField):
    """Text in Python, encrypted in the database. It cannot be searched for."""

    description = "encrypted text"

    def from_db_value(self, value: str | None, expression: Any, connection: Any) -> str | None:
        return None if value is None else decrypt(value)

    def get_prep_value(self, value: Any) -> str | None:
        return None if value is None else encrypt(str(value))
