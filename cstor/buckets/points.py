"""Links: packets, bytes and bursts per VNI and second, straight from decoded packets, without flows (METRICS, "Links").

A row holds the bytes of each of its second's milliseconds, so that packets may come in any order and bursts of several
VNIs can be added up to those of the whole link. Beyond ROWS (VNI, second) at a time rows are handed out early: readers
merge.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from wire.packets.jit import kernel
from wire.packets.layout import empty_packet

POINT = np.dtype(
    [
        ("t", "i8"),  # epoch second
        ("vni", "i4"),  # -1 none
        ("is_link", "u1"),  # 1: the burst of all VNIs together, and nothing else
        ("packets", "i8"),
        ("bytes", "i8"),
        ("link_burst_bytes", "i8"),
        ("truncated", "i8"),
        ("drops", "i8"),
    ],
    align=True,
)

NS = 1_000_000_000
ROWS = 1024
_MS = 1000
_SLOTS = 4 * ROWS
_ROW = np.dtype([("second", "i8"), ("vni", "i8"), ("packets", "i8"), ("bytes", "i8"), ("truncated", "i8")], align=True)
COUNT, LAST = range(2)  # registers: rows in use, the row of the last packet


class PointTable(NamedTuple):
    """Open rows."""

    rows: np.ndarray  # _ROW[ROWS]
    ms: np.ndarray  # i4[ROWS, 1000], bytes by millisecond; zero where no row is
    index: np.ndarray  # i4[_SLOTS], number of the row, -1 free
    registers: np.ndarray  # i8[2]


def new_table() -> PointTable:
    return PointTable(
        np.zeros(ROWS, _ROW), np.zeros((ROWS, _MS), np.int32), np.full(_SLOTS, -1, np.int32), np.zeros(2, np.int64)
    )


class Points:
    """Counts the packets of one stream."""

    def __init__(self) -> None:
        self._table = new_table()
        self._early: list[np.ndarray] = []
        self._drops: dict[int, int] = {}

    def add(self, packets: np.ndarray) -> None:
        """Count PACKET records."""
        at = 0
        while at < len(packets):
            at = count_packets(self._table, packets, at)
            if at < len(packets):  # full
                self._early.append(self._taken(int(self._table.rows["second"].max()) + 1))

    def add_drops(self, second: int, packets: int) -> None:
        """Packets that were lost in a second, whatever their VNI."""
        if packets:
            self._drops[second] = self._drops.get(second, 0) + packets

    def take(self, before: int | None = None) -> np.ndarray | None:
        """POINT rows of the seconds before one (of all if None), each taken once; None if there are none."""
        rows = self._table.rows[: self._table.registers[COUNT]]
        if before is None:
            before = max([*rows["second"].tolist(), *self._drops], default=0) + 1
        found, self._early = self._early, []
        if len(rows) and rows["second"].min() < before:
            found.append(self._taken(before))
        dropped = {second: self._drops.pop(second) for second in [second for second in self._drops if second < before]}
        if dropped:
            found.append(_dropped(dropped))
        return np.concatenate(found) if found else None

    def _taken(self, before: int) -> np.ndarray:
        table, count = self._table, int(self._table.registers[COUNT])
        gone = table.rows["second"][:count] < before
        out = _finished(table.rows[:count][gone], table.ms[:count][gone])
        left = count - len(np.flatnonzero(gone))
        table.rows[:left], table.ms[:left] = table.rows[:count][~gone], table.ms[:count][~gone]
        table.ms[left:count] = 0
        table.registers[:] = left, 0
        index_rows(table)
        return out


def _finished(rows: np.ndarray, ms: np.ndarray) -> np.ndarray:
    """Rows as they are stored; seconds with several VNIs get one more for the burst of the whole link."""
    out = np.zeros(len(rows), POINT)
    out["t"] = rows["second"]
    for name in ("vni", "packets", "bytes", "truncated"):
        out[name] = rows[name]
    out["link_burst_bytes"] = ms.max(axis=1, initial=0)
    seconds, counts = np.unique(rows["second"], return_counts=True)
    several = seconds[counts > 1]
    link = np.zeros(len(several), POINT)
    link["t"], link["vni"], link["is_link"] = several, -1, 1
    link["link_burst_bytes"] = [ms[rows["second"] == second].sum(axis=0).max() for second in several.tolist()]
    return np.concatenate([out, link])


def _dropped(drops: dict[int, int]) -> np.ndarray:
    out = np.zeros(len(drops), POINT)
    out["t"], out["drops"], out["vni"] = list(drops), list(drops.values()), -1
    return out


@kernel
def count_packets(table, packets, at):
    """Add packets to their rows from `at` on; returns where it stopped for want of a row, else how many there are."""
    last = table.registers[LAST]
    start_ns, vni = -1, -2
    if table.registers[COUNT] > 0:
        start_ns, vni = table.rows[last]["second"] * NS, table.rows[last]["vni"]
    while at < len(packets):
        packet = packets[at]
        into_ns = packet["time_ns"] - start_ns
        if packet["vni"] != vni or into_ns < 0 or into_ns >= NS or start_ns < 0:
            second = packet["time_ns"] // NS
            last = find_row(table, second, packet["vni"])
            if last < 0:
                table.registers[LAST] = 0
                return at
            start_ns, vni = second * NS, np.int64(packet["vni"])
            into_ns = packet["time_ns"] - start_ns
        row = table.rows[last]
        if packet["version"] != 0:
            row["packets"] += 1
            row["bytes"] += packet["ip_length"]
            table.ms[last, into_ns // 1_000_000] += packet["ip_length"]
        if packet["captured"] < packet["wire_length"]:
            row["truncated"] += 1
        at += 1
    table.registers[LAST] = last
    return at


@kernel
def find_row(table, second, vni):
    """The row of a VNI and second, a new one where it has none; -1 where there is no room."""
    slot = slot_of(second, vni)
    while table.index[slot] >= 0:
        row = table.rows[table.index[slot]]
        if row["second"] == second and row["vni"] == vni:
            return np.int64(table.index[slot])
        slot = (slot + 1) & (_SLOTS - 1)
    number = table.registers[COUNT]
    if number == ROWS:
        return np.int64(-1)
    table.index[slot] = number
    table.registers[COUNT] = number + 1
    row = table.rows[number]
    row["second"] = second
    row["vni"] = vni
    row["packets"] = 0
    row["bytes"] = 0
    row["truncated"] = 0
    return np.int64(number)


@kernel
def slot_of(second, vni):
    """Where the search for a row begins."""
    return (vni * 2_654_435 + second * 40_503) & (_SLOTS - 1)


@kernel
def index_rows(table):
    """Enter all rows into an empty index."""
    for slot in range(_SLOTS):
        table.index[slot] = -1
    for number in range(table.registers[COUNT]):
        row = table.rows[number]
        slot = slot_of(row["second"], row["vni"])
        while table.index[slot] >= 0:
            slot = (slot + 1) & (_SLOTS - 1)
        table.index[slot] = number


def warm_up() -> None:
    """Load (or compile) the kernels, before packets wait for them."""
    points = Points()
    packet = empty_packet()
    packet["time_ns"] = NS
    points.add(packet)
    points.take()
