"""Under which system user the private servers run: PostgreSQL refuses root, and so do we for both."""

from __future__ import annotations

import os
import pwd
import stat
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cclear.environment import env_text


class ServiceProblem(Exception):
    """One line for the operator: what failed and what to do."""


@dataclass(frozen=True)
class Account:
    """A system user; `switches` when we are root and have to become that user."""

    name: str
    uid: int
    gid: int
    switches: bool

    @classmethod
    def of_servers(cls, data: Path) -> Account:
        """The user who runs us; for root CCLEAR_SYSTEM_USER, or the owner of the data, or postgres, or nobody."""
        if os.geteuid() != 0:
            entry = pwd.getpwuid(os.geteuid())
            return cls(entry.pw_name, entry.pw_uid, entry.pw_gid, switches=False)
        entry = _owner(data) or _first_known([env_text("CCLEAR_SYSTEM_USER", "postgres"), "nobody"])
        return cls(entry.pw_name, entry.pw_uid, entry.pw_gid, switches=True)

    def run(self, command: Sequence[str | Path], **options: object) -> subprocess.CompletedProcess[str]:
        """Run a command as this user, its output captured."""
        return subprocess.run(
            [str(word) for word in command],
            check=False,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            **(self.popen_options() | options),  # type: ignore[call-overload,no-any-return]
        )

    def popen_options(self) -> dict[str, object]:
        if not self.switches:
            return {"cwd": "/"}
        return {"cwd": "/", "user": self.uid, "group": self.gid, "extra_groups": []}

    def own(self, path: Path) -> Path:
        if self.switches:
            os.chown(path, self.uid, self.gid)
        return path

    def must_reach(self, path: Path) -> None:
        """Raise with the first folder on the way to `path` that this user may not pass."""
        if not self.switches:
            return
        for folder in reversed(path.resolve().parents):
            if not _may(folder.stat(), self, stat.S_IXOTH):
                raise ServiceProblem(
                    f"as root the servers run as system user {self.name!r}, who may not pass through {folder} "
                    f"(mode {folder.stat().st_mode & 0o777:04o}): allow it with `chmod o+x {folder}` "
                    f"or `chown {self.name} {folder}`, or set CCLEAR_SYSTEM_USER to a user who may"
                )


def _may(status: os.stat_result, account: Account, other_bit: int) -> bool:
    if status.st_uid == account.uid:
        return bool(status.st_mode & (other_bit << 6))
    if status.st_gid == account.gid:
        return bool(status.st_mode & (other_bit << 3))
    return bool(status.st_mode & other_bit)


def _owner(data: Path) -> pwd.struct_passwd | None:
    """Who owns the existing data, so that the choice stays the same when system users come and go."""
    if os.environ.get("CCLEAR_SYSTEM_USER"):
        return None
    try:
        uid = data.stat().st_uid
        return pwd.getpwuid(uid) if uid else None
    except (FileNotFoundError, KeyError):
        return None


def _first_known(names: Sequence[str]) -> pwd.struct_passwd:
    for name in names:
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise ServiceProblem(f"no system user {' or '.join(names)}: set CCLEAR_SYSTEM_USER to one for the servers")
