"""Where the private servers' unix sockets are: a folder of mode 0700 with a path short enough for the kernel."""

from __future__ import annotations

import contextlib
import hashlib
import os
import socket
import stat
from pathlib import Path

from cclear.services.account import Account, ServiceProblem

# A socket's path has at most 107 bytes (unix(7)); the longest name put into the folder is `.s.PGSQL.5432`.
_LONGEST_FOLDER = 107 - len("/.s.PGSQL.5432.lock")


def socket_folder(data: Path) -> Path:
    """`run` in the data folder, or a folder named after it in the system's temporary one where that is too long."""
    folder = data / "run"
    if len(os.fsencode(folder)) <= _LONGEST_FOLDER:
        return folder
    digest = hashlib.blake2b(os.fsencode(data), digest_size=6).hexdigest()
    return Path("/tmp") / f"cclear-{digest}"


def answers(path: Path) -> bool:
    """Whether somebody takes connections on this unix socket."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(5)
        try:
            probe.connect(str(path))
        except OSError:
            return False
        return True


def make_socket_folder(data: Path, account: Account) -> Path:
    """Make the folder, or make sure that the one that is there is private and ours."""
    folder = socket_folder(data)
    try:
        folder.mkdir(mode=0o700)
        account.own(folder)
    except FileExistsError:
        pass
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != account.uid or status.st_mode & 0o077:
        raise ServiceProblem(
            f"{folder} is not a folder of mode 0700 that belongs to {account.name}: remove it and start again"
        )
    return folder


def remove_socket_folder(data: Path) -> None:
    """Remove a folder outside the data once nothing is in it; the one inside stays."""
    folder = socket_folder(data)
    if not folder.is_relative_to(data):
        with contextlib.suppress(OSError):
            folder.rmdir()
