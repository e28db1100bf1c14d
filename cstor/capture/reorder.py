"""The reorder window: decoded packets of a live capture wait a few milliseconds and leave in order of time.

Mirrors reorder packets on their way to us; analysed in the order of arrival they would look like loss. Packets wait in
one array that is used again: they are decoded into it, sorted where they lie, and handed out as a view.
"""

from __future__ import annotations

from collections.abc import Hashable

import numpy as np

from wire.packets.jit import kernel
from wire.packets.layout import MOVED, new_packets

FAR_AHEAD_NS = 1_000_000_000
FIRST_ROOM = 16_384
NEVER = np.iinfo(np.int64).min


class ReorderWindow:
    """Holds packets for `window_ns`; with 0 they leave in the order of their arrival. `moved` counts those that had to
    overtake another of their stream (each is marked), `clamped` the wrong times."""

    def __init__(self, window_ns: int) -> None:
        self.window_ns = window_ns
        self.moved = 0
        self.clamped = 0
        self._make_room(FIRST_ROOM)
        self._start = self._stop = 0
        self._newest: dict[Hashable, int] = {}

    def clamp(self, time_ns: np.ndarray, now_ns: int, complete_ns: int, arrival_ns: int | None = None) -> None:
        """Give packets from the future, or from seconds that are closed, the time of their arrival (now)."""
        self.clamped += int(
            clamp_times(time_ns, now_ns if arrival_ns is None else arrival_ns, now_ns + FAR_AHEAD_NS, complete_ns)
        )

    def room(self, count: int) -> np.ndarray:
        """Where the next packets may be decoded to; `take` keeps them."""
        self._shift(count)
        return self._packets[self._stop : self._stop + count]

    def take(self, time_ns: np.ndarray, stream: Hashable = None) -> None:
        """Keep what was put into `room`: packets of a stream (a socket, say) in the order of their arrival, with their
        times."""
        count = len(time_ns)
        if not count:
            return
        start = self._stop
        self._stop += count
        times = self._times[start : self._stop]
        times[:] = time_ns
        if not self.window_ns:
            return
        before = self._newest.get(stream, NEVER)
        held = int(self._times[start - 1]) if start > self._start else NEVER
        if is_rising(times, max(before, held)):  # as nearly always
            self._newest[stream] = int(times[-1])
            return
        newest = np.maximum.accumulate(times)
        self._mark_late(start, times, newest, stream)
        self._sort(start, times, newest)

    def add(self, packets: np.ndarray, stream: Hashable = None) -> None:
        """Take decoded packets that lie elsewhere."""
        count = len(packets)
        if not count:
            return
        self.room(count).view(np.uint8).reshape(count, -1)[:] = packets.view(np.uint8).reshape(count, -1)
        self.take(packets["time_ns"], stream)

    def release(self, until_ns: int) -> np.ndarray:
        """Packets stamped before `until_ns`, in order; valid until `room` is asked for again."""
        start = self._start
        if self.window_ns:
            self._start += int(np.searchsorted(self._times[start : self._stop], until_ns))
        else:
            self._start = self._stop
        return self._packets[start : self._start]

    @property
    def held(self) -> int:
        return self._stop - self._start

    def _mark_late(self, start: int, times: np.ndarray, newest: np.ndarray, stream: Hashable) -> None:
        """Two sockets are read one after the other: that their times overlap tells nothing about a mirror."""
        before = self._newest.get(stream, NEVER)
        self._newest[stream] = max(before, int(newest[-1]))
        if times[0] >= before and (newest == times).all():
            return
        late = np.flatnonzero(times < np.maximum(newest, before))
        self.moved += len(late)
        self._packets["marks"][start + late] |= MOVED

    def _sort(self, start: int, times: np.ndarray, newest: np.ndarray) -> None:
        """What is held is in order already: only what lies behind the earliest of the new packets can move."""
        held = self._times[self._start : start]
        if (not len(held) or times[0] >= held[-1]) and (newest == times).all():
            return
        first = self._start + int(np.searchsorted(held, times.min(), side="right"))
        order = np.argsort(self._times[first : self._stop], kind="stable")
        self._bytes[first : self._stop] = self._bytes[first : self._stop][order]
        self._times[first : self._stop] = self._times[first : self._stop][order]

    def _shift(self, count: int) -> None:
        """Room behind what is held, for `count` packets."""
        if self._stop + count <= len(self._times):
            return
        held, data, times = self.held, self._bytes[self._start : self._stop], self._times[self._start : self._stop]
        if 2 * (held + count) > len(self._times):
            self._make_room(4 * (held + count))
        self._bytes[:held] = data  # NumPy copies overlapping ranges as if it had a copy
        self._times[:held] = times
        self._start, self._stop = 0, held

    def _make_room(self, count: int) -> None:
        self._packets = new_packets(count)
        self._bytes = self._packets.view(np.uint8).reshape(count, -1)
        self._times = np.zeros(count, np.int64)


@kernel
def clamp_times(time_ns, arrival_ns, latest_ns, earliest_ns):  # type: ignore[no-untyped-def]
    """Set times outside of earliest..latest to the arrival's; answers how many were."""
    count = 0
    for index in range(len(time_ns)):
        if time_ns[index] > latest_ns or time_ns[index] < earliest_ns:
            time_ns[index] = arrival_ns
            count += 1
    return count


@kernel
def is_rising(time_ns, before_ns):  # type: ignore[no-untyped-def]
    """Whether no time lies before the one that came before it."""
    falls = time_ns[0] < before_ns
    for index in range(1, len(time_ns)):
        falls |= time_ns[index] < time_ns[index - 1]
    return not falls


def warm_up() -> None:
    """Load (or compile) the kernels, before packets wait for them."""
    times = np.zeros(1, np.int64)
    clamp_times(times, 0, 0, 0)
    is_rising(times, 0)
