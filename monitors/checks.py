"""System checks of the secrets of nodes: the key file is there, private, and fits what is encrypted."""

from __future__ import annotations

import stat
from collections.abc import Sequence
from typing import Any

from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import DatabaseError

from monitors import rotation
from monitors.secrets import key_file

RESTORE = (
    "Copy the file back from a backup or from the host that has it. If it is lost, `manage.py rotate_secrets --forget`"
    " removes what cannot be read; then write the tokens again."
)


@register(Tags.security)
def key_file_is_private(**options: Any) -> Sequence[CheckMessage]:
    """Without a database: where the file is missing, what is encrypted is asked for all the same."""
    path = key_file()
    try:
        mode = path.stat().st_mode
    except OSError:
        return _missing()
    if stat.S_IMODE(mode) & 0o077:
        text = f"{path} can be read by others (mode {stat.S_IMODE(mode):o}): it decrypts the tokens of all nodes."
        return [Warning(text, hint=f"chmod 600 {path}; then manage.py rotate_secrets.", id="monitors.W001")]
    return []


def _missing() -> Sequence[CheckMessage]:
    try:
        names = rotation.unreadable()
    except DatabaseError:
        return []
    if not names:
        return []
    text = f"{key_file()} is missing, and {len(names)} tokens are encrypted with its keys."
    return [Error(text, hint=RESTORE, id="monitors.E001")]


@register(Tags.database)
def tokens_can_be_read(databases: Sequence[str] | None = None, **options: Any) -> Sequence[CheckMessage]:
    if not databases or not key_file().exists():
        return []
    try:
        names = rotation.unreadable()
    except DatabaseError:
        # Before the first migration there are no tables.
        return []
    if not names:
        return []
    text = f"No key in {key_file()} fits the tokens of: {', '.join(names[:10])}."
    return [Warning(text, hint=RESTORE, id="monitors.W002")]
