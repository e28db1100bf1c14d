"""What a node's last status says at a glance: alarms, rates, drops, lag, fill levels. Whatever it lacks stays empty.

The status is what another program sent: nothing in it is taken for granted.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

LARGEST = 10**18
STAGES = ("read", "decode", "reorder", "analyse", "close", "write")


@dataclass(frozen=True)
class Alarm:
    """One trouble of now; `colour` as of a state."""

    key: str
    severity: str
    text: str

    @property
    def colour(self) -> str:
        return {"critical": "red", "warning": "amber"}.get(self.severity, "grey")


@dataclass(frozen=True)
class Glance:
    """One line of the list of nodes."""

    alarms: tuple[Alarm, ...] = ()
    packets_per_s: float | None = None
    mbit_per_s: float | None = None
    drops: int = 0
    drops_per_s: float = 0.0
    lag_s: float | None = None
    is_behind: bool = False
    ring_fill: float | None = None
    table: float | None = None
    disk_free: int | None = None
    disk_total: int | None = None
    oldest_packet: float | None = None
    version: str = ""
    certificate: float | None = None

    @property
    def lost(self) -> str:
        """Drops in words: what is lost now comes first."""
        if not self.drops:
            return "none" if self.packets_per_s is not None else ""
        total = f"{self.drops:,}"
        return f"{total}, {self.drops_per_s:,.0f}/s now" if self.drops_per_s else total

    @property
    def ring(self) -> str:
        return _percent(self.ring_fill)

    @property
    def table_used(self) -> str:
        return _percent(self.table)

    @property
    def disk_used(self) -> float | None:
        """How full its disk is, in percent."""
        if self.disk_free is None or not self.disk_total:
            return None
        return 100 * min(1.0, max(0.0, 1 - self.disk_free / self.disk_total))

    @property
    def disk_colour(self) -> str:
        used = self.disk_used
        return "green" if used is None or used < 85 else "amber" if used < 95 else "red"


def glance(status: dict[str, Any]) -> Glance:
    """The numbers of a status, added up over its sources."""
    sources = _objects(status.get("sources"))
    capture = _object(status.get("capture"))
    fills = [fill for source in sources if (fill := _number(source.get("ring_fill"))) is not None]
    drops = _object(status.get("drops"))
    bits = _total(source.get("bits_per_s") for source in sources)
    return Glance(
        alarms=alarms(status),
        packets_per_s=_total(source.get("packets_per_s") for source in sources),
        mbit_per_s=None if bits is None else bits / 1e6,
        drops=int(_total(drops.values()) or 0),
        drops_per_s=_total(_object(capture.get("drops_per_s")).values()) or 0.0,
        lag_s=_number(status.get("lag_s")),
        is_behind=status.get("behind") is True,
        ring_fill=max(fills, default=None),
        table=_number(_object(capture.get("table")).get("occupancy")),
        disk_free=_whole(_object(status.get("disk")).get("free_bytes")),
        disk_total=_whole(_object(status.get("disk")).get("total_bytes")),
        oldest_packet=_number(status.get("oldest_packet")),
        version=str(status.get("version") or "")[:40],
        certificate=certificate_expires(status),
    )


def certificate_expires(status: dict[str, Any]) -> float | None:
    """Epoch second of the end of the certificate that the node presented."""
    return _number(_object(status.get("certificate")).get("expires"))


def older(versions: dict[int, str]) -> dict[int, str]:
    """Of nodes (id -> version): those that run an older version than the newest, with words that say so."""
    told = {pk: _parts(version) for pk, version in versions.items() if version[:1].isdigit()}
    newest = max(told.values(), default=())
    name = next((versions[pk] for pk, parts in told.items() if parts == newest), "")
    return {pk: f"older than {name}" for pk, parts in told.items() if parts < newest}


def _parts(version: str) -> tuple[tuple[int, int, str], ...]:
    """1.10.0 after 1.9.2; what is not a number sorts before all numbers."""
    words = version.replace("-", ".").replace("+", ".").split(".")
    return tuple((1, int(word), "") if word.isdecimal() else (0, 0, word) for word in words)


def alarms(status: dict[str, Any]) -> tuple[Alarm, ...]:
    """What is wrong with the node by its own account, the worst first."""
    order = ("critical", "warning")
    found = [
        Alarm(str(item.get("key", "")), str(item.get("severity", "")), str(item.get("text", "")))
        for item in _objects(status.get("alarms"))
        if item.get("text")
    ]
    return tuple(sorted(found, key=lambda alarm: order.index(alarm.severity) if alarm.severity in order else 9))


def stages(status: dict[str, Any]) -> list[dict[str, str]]:
    """Time per packet by stage, in the order of a packet's way: now and since the start."""
    told = _object(_object(status.get("capture")).get("stages"))
    rows = []
    for name in STAGES:
        stage = _object(told.get(name))
        start, last = (_number(stage.get(key)) for key in ("ns_per_packet", "ns_per_packet_last"))
        if start is not None:
            now = "" if last is None else f"{last:,.0f}"
            rows.append({"name": name, "start": f"{start:,.0f}", "now": now})
    return rows


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.1%}".replace("%", "\u202f%")


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _objects(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _number(value: Any) -> float | None:
    if not isinstance(value, int | float) or isinstance(value, bool) or not -LARGEST < value < LARGEST:
        return None
    return float(value)


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _total(values: Iterable[Any]) -> float | None:
    found = [number for value in values if (number := _number(value)) is not None]
    return sum(found) if found else None
