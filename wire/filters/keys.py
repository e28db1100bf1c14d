"""The term of each key of a series, so that every point of a figure carries its own filter."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address, ip_network


def _host(qualifier: str) -> Callable[[object], str]:
    return lambda value: f"{qualifier}host {ip_address(_plain(value))}"


def _net(qualifier: str) -> Callable[[object], str]:
    return lambda value: f"{qualifier}net {ip_network(str(value), strict=False)}"


def _plain(value: object) -> str:
    """An address without the prefix length that PostgreSQL's inet may print."""
    return str(value).split("/")[0]


_TERMS: dict[str, Callable[[object], str]] = {
    "client_ip": _host("client "),
    "server_ip": _host("server "),
    "host": _host(""),
    "client_net": _net("client "),
    "server_net": _net("server "),
    "server_port": lambda value: f"server port {int(str(value))}",
    "client_port": lambda value: f"client port {int(str(value))}",
    "protocol": lambda value: f"proto {int(str(value))}",
    "vni": lambda value: f"vni {int(str(value))}",
    "vlan": lambda value: f"vlan {int(str(value))}",
}
_ABSENT = {"server_port": "not portrange 0-65535", "vlan": "not vlan"}


def term_for(key: str, value: object) -> str | None:
    """Filter text that selects a key's value, None for a key without a term (is_copy, node, an absent VNI)."""
    if value is None:
        return _ABSENT.get(key)
    return _TERMS[key](value) if key in _TERMS else None
