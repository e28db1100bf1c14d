"""The reorder window: decoded packets of a live capture wait a few milliseconds and leave in order of time.

Mirrors reorder packets on their way to us; analysed in the order of arrival they would look like loss.
"""

from __future__ import annotations

import numpy as np

from wire.packets.layout import PACKET

FAR_AHEAD_NS = 1_000_000_000


class ReorderWindow:
    """Holds packets for `window_ns`. `moved` counts those that had to overtake another, `clamped` the wrong times."""

    def __init__(self, window_ns: int) -> None:
        self.window_ns = window_ns
        self.moved = 0
        self.clamped = 0
        self._held = np.zeros(0, PACKET)

    def clamp(self, time_ns: np.ndarray, now_ns: int, complete_ns: int) -> None:
        """Give packets from the future, or from seconds that are closed, the time of their arrival."""
        wrong = (time_ns > now_ns + FAR_AHEAD_NS) | (time_ns < complete_ns)
        count = int(np.count_nonzero(wrong))
        if count:
            time_ns[wrong] = now_ns
            self.clamped += count

    def add(self, packets: np.ndarray) -> None:
        """Take decoded packets in the order of their arrival (they are copied)."""
        if not len(packets):
            return
        times = packets["time_ns"]
        newest = np.maximum.accumulate(times)
        if len(self._held):
            newest = np.maximum(newest, self._held["time_ns"][-1])
        late = int(np.count_nonzero(times < newest))
        self.moved += late
        held = np.concatenate([self._held, packets])
        # Held packets are in order already: without a late one nothing has to be sorted.
        self._held = held[np.argsort(held["time_ns"], kind="stable")] if late else held

    def release(self, until_ns: int) -> np.ndarray:
        """Packets stamped before `until_ns`, in order."""
        count = int(np.searchsorted(self._held["time_ns"], until_ns))
        out, self._held = self._held[:count], self._held[count:]
        return out

    @property
    def held(self) -> int:
        return len(self._held)
