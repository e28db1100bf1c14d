"""The broker's configuration: a TOML file to a frozen Config, checked as a whole before anything is opened.

listen = "127.0.0.1:4789"          # VXLAN mirror traffic arrives here
http = "127.0.0.1:4790"            # /healthz and /metrics; leave it out for none

[[output]]
name = "cstor-a"
kind = "cstor"                     # a file of cvu/outputs
to = "127.0.0.1:6081"

[[rule]]                           # the first rule whose filter matches wins
name = "web"
filter = "tcp port 443"            # leave it out for everything
balance = ["cstor-a", "cstor-b"]   # flows spread over these; or copy = [...], or drop = true
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cvu.address import ConfigError, host_and_port
from cvu.outputs.output import OUTPUTS, discover
from wire.filters.error import FilterError
from wire.filters.grammar import parse

BALANCE, COPY, DROP = "balance", "copy", "drop"
ACTIONS = (BALANCE, COPY, DROP)


@dataclass(frozen=True)
class OutputConfig:
    """One tool that is fed."""

    name: str
    kind: str
    to: str


@dataclass(frozen=True)
class RuleConfig:
    """What happens to the packets that a filter matches; an empty filter matches all."""

    name: str
    action: str
    outputs: tuple[str, ...] = ()
    filter: str = ""


@dataclass(frozen=True)
class Config:
    """The whole broker."""

    outputs: tuple[OutputConfig, ...]
    rules: tuple[RuleConfig, ...]
    name: str = "cvu"
    listen: str = "127.0.0.1:4789"
    http: str = ""

    def validate(self) -> Config:
        """This configuration, if it makes sense; ConfigError otherwise."""
        host_and_port(self.listen, "listen")
        if self.http:
            host_and_port(self.http, "http")
        if not self.rules:
            raise ConfigError("there is no [[rule]]: nothing would be sent anywhere; add one with balance = [...]")
        known = [output.name for output in self.outputs]
        twice = [name for name in known if known.count(name) > 1]
        if twice:
            raise ConfigError(f"two outputs are named {twice[0]!r}")
        for output in self.outputs:
            _check_output(output)
        for rule in self.rules:
            _check_rule(rule, known)
        return self


def load(path: Path) -> Config:
    """The configuration in a file."""
    try:
        with path.open("rb") as file:
            found = tomllib.load(file)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: not TOML: {error}") from None
    try:
        return from_mapping(found)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None


def from_mapping(found: Mapping[str, Any]) -> Config:
    """The configuration in a parsed TOML file."""
    _refuse_unknown(found, {"name", "listen", "http", "output", "rule"}, "the file")
    named = {key: _typed(found, key, kind) for key, kind in _TOP.items() if key in found}
    outputs = tuple(_output(table) for table in _tables(found, "output"))
    rules = tuple(_rule(number, table) for number, table in enumerate(_tables(found, "rule"), 1))
    return Config(outputs=outputs, rules=rules, **named).validate()


_TOP: dict[str, type] = {"name": str, "listen": str, "http": str}


def _output(table: Mapping[str, Any]) -> OutputConfig:
    where = f"[[output]] {table.get('name', '')!s}".strip()
    _refuse_unknown(table, {"name", "kind", "to"}, where)
    for key in ("name", "kind", "to"):
        if key not in table:
            raise ConfigError(f"{where}: {key} is missing")
    return OutputConfig(*(_typed(table, key, str) for key in ("name", "kind", "to")))


def _rule(number: int, table: Mapping[str, Any]) -> RuleConfig:
    name = str(table.get("name", f"#{number}"))
    _refuse_unknown(table, {"name", "filter", *ACTIONS}, f"[[rule]] {name}")
    actions = [action for action in ACTIONS if table.get(action)]
    if len(actions) != 1:
        raise ConfigError(f"[[rule]] {name}: give exactly one of balance = [...], copy = [...] and drop = true")
    outputs = () if actions[0] == DROP else tuple(_typed(table, actions[0], list))
    return RuleConfig(name, actions[0], outputs, _typed(table, "filter", str) if "filter" in table else "")


def _check_output(output: OutputConfig) -> None:
    discover()
    if output.kind not in OUTPUTS:
        raise ConfigError(f"[[output]] {output.name}: unknown kind {output.kind!r}; known: {', '.join(OUTPUTS.keys())}")
    OUTPUTS[output.kind].check(output)


def _check_rule(rule: RuleConfig, known: list[str]) -> None:
    for name in rule.outputs:
        if name not in known:
            raise ConfigError(f"[[rule]] {rule.name}: there is no output {name!r}; known: {', '.join(known) or 'none'}")
    if len(set(rule.outputs)) < len(rule.outputs):
        raise ConfigError(f"[[rule]] {rule.name}: an output is named twice")
    try:
        parse(rule.filter)
    except FilterError as error:
        raise ConfigError(f"[[rule]] {rule.name}: {error}") from None


def _tables(found: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    tables = found.get(key, [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise ConfigError(f"{key} must be written as [[{key}]] tables")
    return tables


def _typed(table: Mapping[str, Any], key: str, kind: type) -> Any:
    value = table[key]
    if not isinstance(value, kind) or isinstance(value, bool):
        names: dict[type, str] = {str: "a text in quotes", list: "a list"}
        raise ConfigError(f"{key} = {value!r} must be {names[kind]}")
    return value


def _refuse_unknown(table: Mapping[str, Any], known: set[str], where: str) -> None:
    unknown = sorted(set(table) - known)
    if unknown:
        raise ConfigError(f"{where}: unknown key {unknown[0]!r}; known: {', '.join(sorted(known))}")
