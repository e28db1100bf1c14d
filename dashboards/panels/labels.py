"""Names that people read for series and groups: "Response time p95", "10.0.0.7 → 10.0.1.4:443"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from cstor.metrics.columns import METRICS
from dashboards.queries.frame import Series
from monitors.labels.names import ADDRESS_KEYS

PROTOCOLS = {1: "ICMP", 2: "IGMP", 6: "TCP", 17: "UDP", 47: "GRE", 50: "ESP", 58: "ICMPv6", 89: "OSPF", 132: "SCTP"}
KEY_LABEL = {
    "client_ip": "Client",
    "server_ip": "Server",
    "server_port": "Port",
    "protocol": "Protocol",
    "vni": "VNI",
    "vlan": "VLAN",
    "is_copy": "Copy",
    "client_net": "Client network",
    "server_net": "Server network",
    "host": "Host",
    "monitor": "Monitor",
    "node": "Node",
    "source": "Source",
    "thread": "Thread",
    "reason": "Reason",
    "service": "Service",
    "client_location": "Client location",
    "server_location": "Server location",
    "client_site": "Client site",
    "server_site": "Server site",
    "point": "Monitoring point",
    "application": "Application",
    "definition": "Definition",
}
LABELS = ("service", "client_location", "server_location", "client_site", "server_site", "point", "application")
PAIRS = (("client_location", "server_location"), ("client_site", "server_site"))
COMPARED = {"1d": "1 day earlier", "7d": "7 days earlier"}
PLAIN_STATS = ("rate", "sum", "percent", "value")


def key_text(key: str, value: Any) -> str:
    """One key's value as text; "none" where the traffic has none."""
    if key == "definition":
        return str(value or "present")
    if value is None:
        return "unlabelled" if key in LABELS else "none"
    if key == "protocol":
        return PROTOCOLS.get(int(value), str(value))
    if key in ("vni", "vlan"):
        return f"{KEY_LABEL[key]} {value}"
    if key == "is_copy":
        return "copy" if value else "primary"
    return str(value).replace("_", " ") if key == "reason" else str(value)


def group_label(keys: Mapping[str, Any]) -> str:
    """A group on one line: client → server:port, then whatever else it is told apart by."""
    if not keys:
        return ""
    if keys.get("other"):
        return "Other"
    client = keys.get("client_ip", keys.get("client_net"))
    server = keys.get("server_ip", keys.get("server_net"))
    port = keys.get("server_port")
    if server is not None and port is not None:
        address, blank, name = str(server).partition(" ")
        server = (f"[{address}]:{port}" if ":" in address else f"{address}:{port}") + blank + name
    elif port is not None:
        server = f"port {port}"
    head = " → ".join(str(end) for end in (client, server) if end is not None)
    named = {"client_ip", "client_net", "server_ip", "server_net", "server_port"}
    for pair in PAIRS if not head else ():
        if set(pair) <= set(keys):
            head = " → ".join(key_text(key, keys[key]) for key in pair)
            named |= set(pair)
    hidden = {"definition", *(["protocol"] if keys.get("protocol") == 6 and len(keys) > 1 else [])}
    tail = [key_text(key, value) for key, value in keys.items() if key not in named and key not in hidden]
    label = " · ".join(part for part in (head, *tail) if part)
    return f"{label} ({keys['definition']})".strip() if "definition" in keys else label


def monitor_named(keys: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """Keys with the monitor's name instead of its slug, and with the hosts' names behind their addresses."""
    return {key: _named(key, value, names) for key, value in keys.items()}


def _named(key: str, value: Any, names: Mapping[str, str]) -> Any:
    if key == "monitor":
        return names.get(str(value), value)
    return f"{value} {names[str(value)]}" if key in ADDRESS_KEYS and str(value) in names else value


def metric_label(metric: str, stat: str, short: bool = False) -> str:
    """ "Response time p95"; the stat is left out where the metric has only the one that is meant."""
    label = METRICS[metric].label
    if stat in PLAIN_STATS:
        return label
    return stat if short else f"{label} {stat}"


def series_names(series: Sequence[Series], names: Mapping[str, str] | None = None) -> list[str]:
    """Names that tell the lines of one panel apart, and say no more than that needs."""
    series = [replace(item, keys=monitor_named(item.keys, names or {})) for item in series]
    one_metric = len({item.metric for item in series}) == 1
    one_stat = len({(item.metric, item.stat) for item in series}) == 1
    one_group = len({group_label(item.keys) for item in series}) == 1
    return [_name(item, one_metric, one_stat, one_group) for item in series]


def _name(item: Series, one_metric: bool, one_stat: bool, one_group: bool) -> str:
    group = group_label(item.keys)
    parts = [group] if group and not (one_group and not one_stat) else []
    if not one_stat or not parts:
        parts.append(metric_label(item.metric, item.stat, short=one_metric and not one_stat))
    if item.compared:
        parts.append(COMPARED.get(item.compared, item.compared))
    return " · ".join(parts)


def axis_title(series: Sequence[Series], symbol: str) -> str:
    """ "Response time (ms)" for one metric, else what they share: the unit alone."""
    labels = {METRICS[item.metric].label for item in series}
    if len(labels) != 1:
        return symbol
    return f"{labels.pop()} ({symbol})" if symbol else labels.pop()
