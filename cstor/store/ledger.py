"""What a store says about itself: when everything was captured, which hours changed after the fact, what was removed.

`ledger.json` is replaced whole. While a node captures, `live/clock.json` says up to where its seconds are complete; it
is written after them, so whoever reads the clock first finds everything up to it.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cstor.store.layout import FORMAT_VERSION, HOUR_S, LIVE, StoreError, replace_file

Interval = tuple[int, int]

KILLS_KEPT = 1000

_changing = threading.Lock()


@dataclass
class Ledger:
    """Seconds are epoch seconds, intervals [from, to)."""

    observed: list[Interval] = field(default_factory=list)
    revisions: dict[int, int] = field(default_factory=dict)  # hour -> how often it changed after it was complete
    pending: list[int] = field(default_factory=list)  # hours being changed right now: raised at the next start
    is_captured: bool = False  # a running capture has written here: the last bucket may still grow after a restart
    kills: list[tuple[int, int]] = field(default_factory=list)  # (complete until, flows open then) of each killed run

    def as_json(self) -> dict[str, Any]:
        return {
            "format": FORMAT_VERSION,
            "observed": self.observed,
            "revisions": {str(hour): n for hour, n in self.revisions.items()},
            "pending": self.pending,
            "is_captured": self.is_captured,
            "kills": self.kills[-KILLS_KEPT:],
        }


@dataclass(frozen=True)
class Clock:
    """How far a running capture has come."""

    observed_from: int
    complete_until: int


def read_ledger(root: Path) -> Ledger:
    """The ledger; an empty one where none was written yet."""
    try:
        found = json.loads((root / "ledger.json").read_text())
        if found["format"] > FORMAT_VERSION:
            raise StoreError(f"{root}: written by a newer version (format {found['format']}); update this program")
        return Ledger(
            [(int(start), int(end)) for start, end in found["observed"]],
            {int(hour): int(n) for hour, n in found["revisions"].items()},
            [int(hour) for hour in found["pending"]],
            bool(found.get("is_captured")),
            [(int(at), int(flows)) for at, flows in found.get("kills", ())],
        )
    except FileNotFoundError:
        return Ledger()
    except (KeyError, TypeError, ValueError) as error:
        raise StoreError(f"{root / 'ledger.json'}: damaged ({error}); remove it to go on without its history") from None


def write_ledger(root: Path, ledger: Ledger) -> None:
    replace_file(root / "ledger.json", json.dumps(ledger.as_json()).encode())


@contextmanager
def changed_ledger(root: Path) -> Iterator[Ledger]:
    """The ledger, to be changed, and written back then; threads of the writing process wait for one another."""
    with _changing:
        ledger = read_ledger(root)
        before = ledger.as_json()
        yield ledger
        if ledger.as_json() != before:
            write_ledger(root, ledger)


def read_clock(root: Path) -> Clock | None:
    """The clock of the capture that runs, or that was killed; None where none was left."""
    try:
        found = json.loads((root / LIVE / "clock.json").read_text())
        return Clock(int(found["observed_from"]), int(found["complete_until"]))
    except (FileNotFoundError, KeyError, TypeError, ValueError):
        return None


def write_clock(root: Path, clock: Clock) -> None:
    """Not synced to the disk: it is written every second and only has to outlive this process."""
    path = root / LIVE / "clock.json"
    hidden = path.with_name(".clock.json.tmp")
    hidden.write_text(json.dumps({"observed_from": clock.observed_from, "complete_until": clock.complete_until}))
    hidden.replace(path)


def settle_clock(root: Path) -> None:
    """Move what the last capture observed from its clock into the ledger; start anew."""
    clock = read_clock(root)
    if clock is not None:
        with changed_ledger(root) as ledger:
            ledger.observed = united([*ledger.observed, (clock.observed_from, clock.complete_until)])
        (root / LIVE / "clock.json").unlink(missing_ok=True)


def note_kill(root: Path) -> tuple[int, int] | None:
    """If the last capture was killed, write down when, and how many flows were open: their sessions are lost."""
    clock = read_clock(root)
    if clock is None:
        return None
    kill = (clock.complete_until, _open_flows(root))
    with changed_ledger(root) as ledger:
        if kill not in ledger.kills:
            ledger.kills.append(kill)
    return kill


def _open_flows(root: Path) -> int:
    """As the killed capture said in its last status."""
    try:
        return int(json.loads((root / LIVE / "status.json").read_text())["gauges"]["flows"])
    except (OSError, KeyError, TypeError, ValueError):
        return 0


def raise_revisions(root: Path, hours: Iterable[int]) -> None:
    """Say that seconds of these hours changed; called after the change can be seen."""
    with changed_ledger(root) as ledger:
        for hour in {*hours, *ledger.pending}:
            ledger.revisions[hour] = ledger.revisions.get(hour, 0) + 1
        ledger.pending = []


def united(intervals: Iterable[Interval]) -> list[Interval]:
    """The same time as the fewest intervals, ascending."""
    out: list[Interval] = []
    for start, end in sorted(interval for interval in intervals if interval[0] < interval[1]):
        if out and start <= out[-1][1]:
            out[-1] = (out[-1][0], max(out[-1][1], end))
        else:
            out.append((start, end))
    return out


def clipped(intervals: Iterable[Interval], start: int, end: int) -> list[Interval]:
    """What of the intervals lies within [start, end)."""
    return [(max(a, start), min(b, end)) for a, b in intervals if max(a, start) < min(b, end)]


def without_hour(intervals: Iterable[Interval], hour: int) -> list[Interval]:
    """The intervals less one hour, after retention took it."""
    rest: list[Interval] = []
    for start, end in intervals:
        rest += [(start, min(end, hour)), (max(start, hour + HOUR_S), end)]
    return united(rest)
