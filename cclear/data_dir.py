"""The data folder and the secrets in it: made with mode 0700 and 0600, never opened to anyone else."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from cclear.services.account import Account


def prepare(path: Path) -> Path:
    """Make the data folder if it is missing.

    When root makes it, the system user of the servers owns the folder itself: it can then pass through to its own
    parts while the mode stays 0700, and what root puts beside them stays root's.
    """
    if not path.exists():
        path.mkdir(parents=True, mode=0o700)
        account = Account.of_servers(path)
        if account.switches:
            os.chown(path, account.uid, account.gid)
    return path


def folder(path: Path) -> Path:
    """A private folder inside the data folder."""
    path.mkdir(mode=0o700, exist_ok=True)
    return path


def secret(path: Path, characters: int = 43) -> str:
    """The secret in this file; the first call makes it up and writes it, readable by its owner only."""
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        pass
    value = secrets.token_urlsafe(characters)[:characters]
    write_private(path, value + "\n")
    # Another process may have been first: what the file says counts.
    return path.read_text().strip()


def write_private(path: Path, text: str, replace: bool = False) -> None:
    """Write a file of mode 0600 so that it appears complete or not at all; an existing one stays unless told."""
    hidden = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(hidden, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    try:
        if replace:
            hidden.replace(path)
        else:
            os.link(hidden, path)
    except FileExistsError:
        pass
    finally:
        hidden.unlink(missing_ok=True)
