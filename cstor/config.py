"""What a node is told: a TOML file for `run`, options for the other commands, and a few variables of the environment.

Everything is checked before anything starts: an unknown key, a wrong type or a size without a unit stops the program
with one line. This is the only file of cStor that reads the environment.
"""

from __future__ import annotations

import os
import re
import socket
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Any

DEFAULT_LISTEN = "127.0.0.1:8800"
DEFAULT_SOURCE = {"kind": "vxlan", "listen": "127.0.0.1:4789"}
DAY_S = 86_400

_SIZE = re.compile(r"^\s*(\d+(?:\.\d+)?)\s*([KMGT]?)i?B?\s*$", re.IGNORECASE)
_UNITS = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4}


class ConfigError(Exception):
    """The configuration cannot be used; the text is one line that says what to change."""


@dataclass(frozen=True)
class Retention:
    """What is kept; None means all. Age counts from the writing of a file.

    Series older than `series_1s_days` are kept in steps of 10 seconds, older than `series_10s_days` in steps of 60.
    Below `min_free` bytes of free disk the oldest packets go; None is 5 % of the disk, at most 2 GB.
    """

    packets_bytes: int | None = None
    packets_days: float | None = None
    series_bytes: int | None = None
    series_days: float | None = None
    sessions_bytes: int | None = None
    sessions_days: float | None = None
    series_1s_days: float | None = 2.0
    series_10s_days: float | None = 14.0
    min_free: int | None = None


@dataclass(frozen=True)
class ApiConfig:
    """What the API process needs."""

    store: Path
    name: str
    listen: str = DEFAULT_LISTEN
    token_file: Path | None = None
    captures: bool = False  # a capturing parent stands behind this API

    def validate(self) -> None:
        host, _ = split_address(self.listen)
        if self.token_file is None and not is_loopback(host):
            raise ConfigError(
                f"listening on {self.listen} needs a token: name a file with --token-file, or listen on 127.0.0.1"
            )
        if self.token_file is not None:
            read_tokens(self.token_file)


@dataclass(frozen=True)
class NodeConfig:
    """What `run` needs."""

    api: ApiConfig
    sources: tuple[Mapping[str, Any], ...]
    retention: Retention = field(default_factory=Retention)
    reorder_ms: float = 5.0
    duplicates_ms: float = 0.0
    store_packets: bool = True

    def validate(self) -> None:
        self.api.validate()
        if not self.sources:
            raise ConfigError("no [[source]] is configured: there is nothing to capture")
        if not 0 <= self.reorder_ms <= 1000 or not 0 <= self.duplicates_ms <= 1000:
            raise ConfigError("reorder_ms and duplicates_ms are milliseconds of 0 to 1000")


def read_config(path: Path) -> NodeConfig:
    """The checked configuration of a TOML file; relative paths are relative to its folder."""
    try:
        with path.open("rb") as file:
            raw = tomllib.load(file)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: {error}") from None
    try:
        return node_config(raw, path.parent)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None


def node_config(raw: Mapping[str, Any], folder: Path) -> NodeConfig:
    """The configuration that the tables of a TOML file say; the environment's CSTOR_* variables win."""
    raw = {**raw, **_from_environment()}
    known: dict[str, Any] = {
        "name": str,
        "store": str,
        "listen": str,
        "token_file": str,
        "source": list,
        "retention": dict,
    }
    known |= {"reorder_ms": (int, float), "duplicates_ms": (int, float), "store_packets": bool}
    _check(raw, known, "")
    api = ApiConfig(
        _path(folder, raw.get("store", "var/cstor")),
        raw.get("name") or socket.gethostname(),
        raw.get("listen", DEFAULT_LISTEN),
        _path(folder, raw["token_file"]) if raw.get("token_file") else None,
        captures=True,
    )
    sources = raw.get("source", [DEFAULT_SOURCE])
    if not all(isinstance(source, dict) and isinstance(source.get("kind"), str) for source in sources):
        raise ConfigError('each [[source]] needs a kind, such as kind = "vxlan"')
    options = {key: raw[key] for key in ("reorder_ms", "duplicates_ms", "store_packets") if key in raw}
    config = NodeConfig(api, tuple(sources), _retention(raw.get("retention", {})), **options)
    config.validate()
    return config


def _retention(raw: Mapping[str, Any]) -> Retention:
    sizes = ("packets_bytes", "series_bytes", "sessions_bytes", "min_free")
    days = ("packets_days", "series_days", "sessions_days", "series_1s_days", "series_10s_days")
    _check(raw, dict.fromkeys(sizes, (int, str)) | dict.fromkeys(days, (int, float)), " in [retention]")
    values: dict[str, Any] = {name: parse_size(raw[name], name) for name in sizes if name in raw}
    for name in days:
        if name in raw:
            if raw[name] <= 0:
                raise ConfigError(f"{name} in [retention] must be more than 0 days")
            values[name] = float(raw[name])
    return Retention(**values)


def _check(raw: Mapping[str, Any], known: Mapping[str, Any], where: str) -> None:
    for key, value in raw.items():
        if key not in known:
            raise ConfigError(f"unknown key {key!r}{where}; known: {', '.join(known)}")
        if not isinstance(value, known[key]) or (isinstance(value, bool) and known[key] is not bool):
            raise ConfigError(f"{key}{where} has the wrong type: {value!r}")


def _path(folder: Path, text: str) -> Path:
    return (folder / Path(text).expanduser()).absolute()


def parse_size(value: int | str, name: str) -> int:
    """Bytes out of 20000000 or "20 GB" (powers of 1000) or "20 GiB" (powers of 1024)."""
    found = _SIZE.match(str(value))
    if not found:
        raise ConfigError(f'{name} is a size such as "20 GB", not {value!r}')
    base = 1024 if "ib" in str(value).lower() else 1000
    return int(float(found[1]) * base ** _UNITS[found[2].upper()])


def split_address(text: str) -> tuple[str, int]:
    """(host, port) of HOST:PORT or [V6]:PORT; ConfigError otherwise."""
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdigit() or int(port) > 65_535 or not host:
        raise ConfigError(f"{text!r} is not HOST:PORT, such as 127.0.0.1:8800")
    return host.strip("[]"), int(port)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def read_tokens(path: Path) -> tuple[str, ...]:
    """Tokens of a file, one to a line; # begins a comment."""
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a text file"
        raise ConfigError(f"{path}: {reason}; the file holds one API token per line") from None
    tokens = tuple(line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#"))
    if not tokens:
        raise ConfigError(f"{path}: holds no token; write one per line")
    return tokens


_NAMES = {"CSTOR_NAME": "name", "CSTOR_STORE": "store", "CSTOR_LISTEN": "listen", "CSTOR_TOKEN_FILE": "token_file"}


def _from_environment() -> dict[str, str]:
    return {key: os.environ[name] for name, key in _NAMES.items() if os.environ.get(name)}


def hand_to_api(config: ApiConfig) -> None:
    """Put the API's configuration where `api_config` finds it: Django's settings are read by import."""
    os.environ["CSTOR_STORE"] = str(config.store)
    os.environ["CSTOR_NAME"] = config.name
    os.environ["CSTOR_LISTEN"] = config.listen
    os.environ["CSTOR_TOKEN_FILE"] = str(config.token_file or "")
    os.environ["CSTOR_CAPTURES"] = "yes" if config.captures else ""
    os.environ["DJANGO_SETTINGS_MODULE"] = "cstor.api.settings"


def api_config() -> ApiConfig:
    """The configuration of this API process."""
    try:
        store = os.environ["CSTOR_STORE"]
    except KeyError:
        raise ConfigError("CSTOR_STORE is not set: start the API with `python -m cstor serve --store DIR`") from None
    token_file = os.environ.get("CSTOR_TOKEN_FILE")
    return ApiConfig(
        Path(store),
        os.environ.get("CSTOR_NAME") or socket.gethostname(),
        os.environ.get("CSTOR_LISTEN") or DEFAULT_LISTEN,
        Path(token_file) if token_file else None,
        captures=os.environ.get("CSTOR_CAPTURES") == "yes",
    )
