"""Analysis: packets in, closed seconds and ended sessions out. The Python side of the kernels: clock, room, closing.

One Analysis is one shard: it needs no lock as long as one thread feeds it. Files are analysed on the time of their
packets; live, `advance` moves the clock when no packet does.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass

import numpy as np

from cstor.buckets.arena import MAX_ROWS_OF_EVENTS, move_events
from cstor.buckets.close import Closer
from cstor.buckets.second import ClosedSecond, RawSecond
from cstor.flows.analyze import analyze_batch
from cstor.flows.analyzers.connections import ENDED, FAILED, OPEN
from cstor.flows.clock import NS
from cstor.flows.memory import copied
from cstor.flows.registers import (
    ARENAS,
    BIN_HIGH,
    CELL_HIGH,
    CLOCK,
    ENDED_BINS,
    ENDED_CELLS,
    ENDED_SAMPLES,
    FILL,
    FLOW_HIGH,
    FLOWS,
    LATE,
    NEVER,
    OTHER,
    ROWS,
    SERIAL,
    SESSIONS,
    STATISTICS,
    WANTED,
)
from cstor.flows.sessions import Ended, EndedSessions
from cstor.flows.state import CHUNK, EVENTS, LATE_ROWS, new_state, with_room
from cstor.flows.table import copy_entries, new_index
from cstor.flows.timers import end_all, evict, expire
from cstor.stages import Stages
from wire.packets.layout import empty_packet


@dataclass(frozen=True)
class AnalysisConfig:
    """`live`: closed seconds stay closed. Beyond `max_flows` the oldest unestablished flows are evicted; beyond
    `max_rows`
    conversations in a second the rest folds into one `other` row."""

    live: bool = False
    max_flows: int = 1_000_000
    max_rows: int = 200_000

    @property
    def limits(self) -> tuple[int, int]:
        return self.max_flows, self.max_rows

    def validate(self) -> None:
        if self.max_flows < 2 * CHUNK:
            raise ValueError(f"max_flows is {self.max_flows}, but must be at least {2 * CHUNK}")
        if not 1 <= self.max_rows <= MAX_ROWS_OF_EVENTS // 2:
            raise ValueError(f"max_rows is {self.max_rows}, but must be from 1 to {MAX_ROWS_OF_EVENTS // 2}")


class Analysis:
    """Flow table, analyzers and open seconds of one stream of packets."""

    def __init__(self, config: AnalysisConfig | None = None, stages: Stages | None = None) -> None:
        self._config = config or AnalysisConfig()
        self._stages = stages or Stages()
        self._config.validate()
        self._state = new_state(secrets.randbits(32), *self._config.limits, self._config.live)
        self._closer = Closer()
        self._closed: list[RawSecond] = []
        self._ended: list[Ended] = []

    @property
    def clock(self) -> int | None:
        """The newest second that was reached, None before the first packet."""
        clock = int(self._registers[CLOCK])
        return None if clock == NEVER else clock

    @property
    def _registers(self) -> np.ndarray:
        return self._state.out.registers

    def feed(self, packets: np.ndarray) -> None:
        """Analyse PACKET records in their order."""
        with self._stages.time("analyse"):
            for start in range(0, len(packets), CHUNK):
                self._feed(packets[start : start + CHUNK])

    def advance(self, now_ns: int) -> None:
        """Live: the clock has reached this time, with or without packets."""
        if self.clock is not None and now_ns // NS > self.clock:
            with self._stages.time("analyse"):
                self._move_clock(now_ns // NS)

    def finish(self) -> None:
        """The end of a file: timers stop, all flows become sessions, all seconds are closed."""
        numbers = np.flatnonzero(self._state.flows["used"][: self._registers[FLOW_HIGH]])
        for start in range(0, len(numbers), CHUNK):
            self._make_room()
            end_all(self._state, numbers[start : start + CHUNK])
            self._collect_sessions()
        for slot in self._open_slots():
            self._close(slot)
        self._close(LATE)

    def take_raw(self) -> list[RawSecond]:
        """Seconds that were closed since the last call, for a Closer in whatever thread; one may come again."""
        closed, self._closed = self._closed, []
        return closed

    def take_seconds(self) -> list[ClosedSecond]:
        """The same, folded."""
        with self._stages.time("close"):
            folded = [self._closer.fold(raw) for raw in self.take_raw()]
        return [second for second in folded if second is not None]

    def take_sessions(self) -> EndedSessions | None:
        """Sessions that ended since the last call."""
        self._collect_sessions()
        ended, self._ended = self._ended, []
        return EndedSessions(ended) if ended else None

    def counters(self) -> dict[str, int]:
        """Statistics of this analysis, by name."""
        counters = {name: int(self._registers[register]) for name, register in STATISTICS.items()}
        counters["flow_rows"] = int(self._registers[FLOW_HIGH])  # ever used: what the table costs in memory
        counters["flow_limit"] = self._config.max_flows
        out = self._state.out
        for name, mark, pool in (("cells", CELL_HIGH, out.cells), ("bins", BIN_HIGH, out.bins)):
            counters[f"pool_{name}"] = int(self._registers[mark])  # ever used at once, and how many there are
            counters[f"pool_{name}_limit"] = len(pool)
        return counters

    def _feed(self, packets: np.ndarray) -> None:
        self._evict(len(packets))
        at = 0
        while at < len(packets):
            self._make_room()
            at = analyze_batch(self._state, packets, at)
            if at < len(packets):
                self._move_clock(int(self._registers[WANTED]))

    def _collect_sessions(self) -> None:
        waiting = int(self._registers[SESSIONS])
        if waiting:
            ended = self._state.ended
            chains = (int(self._registers[register]) for register in (ENDED_CELLS, ENDED_SAMPLES, ENDED_BINS))
            fills = (waiting, 2 * waiting, *chains)
            self._ended.append(Ended(*(copied(pool[:fill]) for pool, fill in zip(ended, fills, strict=True))))
            self._registers[[SESSIONS, ENDED_CELLS, ENDED_SAMPLES, ENDED_BINS]] = 0

    def _make_room(self) -> None:
        """Room for what CHUNK packets or timers may bring. A second with too many events is handed out in parts."""
        self._state = with_room(self._state, CHUNK)
        if self._registers[SESSIONS] > CHUNK:
            self._collect_sessions()
        for slot in range(ARENAS):
            if self._registers[FILL + slot] > EVENTS or (slot == LATE and self._registers[ROWS + LATE] > LATE_ROWS):
                self._close(slot)

    def _move_clock(self, second: int) -> None:
        """Run the timers up to a second, close what lies two seconds before it, and go there (or back to it)."""
        clock = self.clock
        if clock is not None and second > clock:
            self._expire(second * NS)
        for slot in self._open_slots():
            if clock is None or second < clock or clock - ((clock - slot) & 1) < second - 1:
                self._close(slot)
        self._close(LATE)
        self._registers[CLOCK] = second

    def _open_slots(self) -> tuple[int, int]:
        """The arenas of the two open seconds, the older one first: they are handed out in order of time."""
        newer = int(self._registers[CLOCK]) & 1
        return 1 - newer, newer

    def _expire(self, now_ns: int) -> None:
        """After a long silence several timers of a flow may be due, one after the other: until none is."""
        while len(numbers := np.flatnonzero(self._state.deadlines[: self._registers[FLOW_HIGH]] <= now_ns)):
            for start in range(0, len(numbers), CHUNK):
                self._make_room()
                expire(self._state, numbers[start : start + CHUNK], now_ns)
                self._collect_sessions()

    def _evict(self, packets: int) -> None:
        """Keep room for as many new flows as there are packets: dormant rows go first, then what was never established,
        then the longest silent."""
        excess = int(self._registers[FLOWS]) + packets - self._config.max_flows
        if excess <= 0:
            return
        flows = self._state.flows[: self._registers[FLOW_HIGH]]
        numbers = np.flatnonzero(flows["used"])
        phase = flows["phase"][numbers]
        rank = np.where(phase == OPEN, 2, 1)
        rank[(flows["is_dormant"][numbers] == 1) | (phase == ENDED) | (phase == FAILED)] = 0
        order = np.lexsort((flows["last_ns"][numbers], rank))
        chosen = numbers[order[: max(excess, self._config.max_flows // 16)]]
        for start in range(0, len(chosen), CHUNK):
            self._make_room()
            evict(self._state, chosen[start : start + CHUNK])
            self._collect_sessions()

    def _close(self, slot: int) -> None:
        """Hand out the rows of an arena, one ClosedSecond per second that it holds, and empty it."""
        registers, arena = self._registers, self._state.arena
        rows, fill = int(registers[ROWS + slot]), int(registers[FILL + slot])
        if rows == 0:
            return
        registers[ROWS + slot] = registers[FILL + slot] = 0
        registers[OTHER + slot] = -1
        registers[SERIAL + slot] = registers[SERIAL : SERIAL + ARENAS].max() + 1
        seconds = arena.second[slot, :rows]
        keys, dense, events = arena.keys[slot, :rows], arena.dense[slot, :rows], arena.events[slot, :fill]
        if slot != LATE or (seconds == seconds[0]).all():
            self._hand_out(int(seconds[0]), keys, dense, events)
            return
        for second in np.unique(seconds):
            chosen = seconds == second
            there = np.empty_like(events)
            used = move_events(events, np.where(chosen, np.cumsum(chosen) - 1, -1), there)
            self._hand_out(int(second), keys[chosen], dense[chosen], there[:used])

    def _hand_out(self, second: int, keys: np.ndarray, dense: np.ndarray, events: np.ndarray) -> None:
        self._closed.append(RawSecond(second, copied(keys), dense.copy(), events.copy()))


def warm_up() -> None:
    """Load (or compile) every kernel of the analysis, before packets wait for it."""
    analysis = Analysis()
    analysis.feed(np.concatenate([empty_packet(), _first_packet()]))
    state, nothing = analysis._state, np.zeros(0, np.int64)
    for kernel in (evict, end_all):
        kernel(state, nothing)
    expire(state, nothing, 0)
    copy_entries(new_index(2), new_index(2))
    move_events(nothing, nothing, nothing)
    analysis.finish()


def _first_packet() -> np.ndarray:
    packet = empty_packet()
    packet["version"], packet["time_ns"] = 4, NS
    return packet
