"""The environment, read strictly: an unknown word or an unreadable number stops the program with one line.

settings.py, the services and the supervisor read their environment only through these functions.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

ROOT = Path(__file__).resolve().parent.parent

_TRUE = {"1", "true", "yes", "on"}
_FALSE = {"0", "false", "no", "off"}


class EnvironmentProblem(Exception):
    """One line for the operator: which variable, what is wrong, what to do."""


def env_text(name: str, default: str) -> str:
    """The variable's text; an empty value counts as absent, since `NAME= make run` means just that."""
    return os.environ.get(name, "").strip() or default


def env_bool(name: str, default: bool) -> bool:
    text = env_text(name, "yes" if default else "no").lower()
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise EnvironmentProblem(f"{name}={text!r} is neither yes nor no: use one of 1, 0, yes, no, true, false")


def env_int(name: str, default: int, least: int = 0, most: int = 2**31 - 1) -> int:
    text = env_text(name, str(default))
    try:
        value = int(text)
    except ValueError:
        raise EnvironmentProblem(f"{name}={text!r} is not a whole number") from None
    if not least <= value <= most:
        raise EnvironmentProblem(f"{name}={value} is out of range: it must be from {least} to {most}")
    return value


def env_list(name: str, default: list[str]) -> list[str]:
    return [word.strip() for word in env_text(name, ",".join(default)).split(",") if word.strip()]


def env_port(name: str, default: int) -> int:
    return env_int(name, default, least=1, most=65535)


def data_dir() -> Path:
    """Where all state is kept: DATA_DIR, by default `var/` beside manage.py."""
    return Path(env_text("DATA_DIR", str(ROOT / "var"))).expanduser().absolute()


def parse_database_url(url: str) -> dict[str, Any]:
    """postgresql://user:password@host:port/name?option=value as Django's settings; `?host=/folder` is a unix socket."""
    parts = urlsplit(url)
    if parts.scheme not in ("postgres", "postgresql"):
        raise EnvironmentProblem(
            f"DATABASE_URL begins with {parts.scheme!r}: cClear needs postgresql://USER:PASSWORD@HOST:PORT/NAME"
        )
    options = dict(parse_qsl(parts.query))
    name = unquote(parts.path.lstrip("/"))
    if not name:
        raise EnvironmentProblem("DATABASE_URL names no database: it must end in /NAME")
    try:
        port = parts.port or options.pop("port", "")
    except ValueError:
        raise EnvironmentProblem("DATABASE_URL: its port is not a number from 0 to 65535") from None
    host = options.pop("host", "") or unquote(parts.hostname or "")
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": name,
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": host,
        "PORT": str(port),
        "OPTIONS": options,
    }


def database_help(error: Exception) -> str:
    """What a person does about a database that does not answer, in one line."""
    first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    if os.environ.get("DATABASE_URL"):
        return f"the database of DATABASE_URL does not answer: {first}"
    return f"the database does not answer ({first}): `make run` starts it, or set DATABASE_URL to one that runs"
