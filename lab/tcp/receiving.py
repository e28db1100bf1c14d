"""The receiving half of an endpoint: reassembly, delayed acknowledgements (RFC 1122), SACK blocks (RFC 2018)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from lab.events import MILLISECOND
from lab.tcp.segment import FIN, Segment

if TYPE_CHECKING:
    from lab.tcp.endpoint import Endpoint

DELAYED_ACK_NS = 40 * MILLISECOND
SEGMENTS_PER_ACK = 2


class Receiver:
    """What one side has received: `next` is the acknowledgement that it sends."""

    __slots__ = (
        "_deadline",
        "_expected",
        "_fin_seq",
        "_is_timer_set",
        "endpoint",
        "has_finished",
        "islands",
        "next",
        "unacknowledged",
    )  # fmt: skip

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.next = 0
        self.islands: list[tuple[int, int]] = []
        self.unacknowledged = 0
        self.has_finished = False
        self._fin_seq = -1
        self._expected: deque[tuple[int, Callable[[], None]]] = deque()
        self._deadline = 0
        self._is_timer_set = False

    def expect(self, end: int, arrived: Callable[[], None]) -> None:
        """Call `arrived` once everything before the sequence number `end` is here."""
        self._expected.append((end, arrived))

    def take(self, segment: Segment) -> None:
        """Take the payload and the FIN of a segment and acknowledge them, now or later."""
        if segment.flags & FIN:
            self._fin_seq = segment.end - 1
        if segment.seq > self.next:
            self._add_island(segment.seq, segment.end)
            self.endpoint.acknowledge()
            return
        if segment.end <= self.next:
            self.endpoint.acknowledge()
            return
        had_islands = bool(self.islands)
        self.next = segment.end
        while self.islands and self.islands[0][0] <= self.next:
            self.next = max(self.next, self.islands.pop(0)[1])
        self.unacknowledged += 1
        is_at_end = self._fin_seq >= 0 and self.next > self._fin_seq
        self._deliver()
        if self.unacknowledged >= SEGMENTS_PER_ACK or (self.unacknowledged and (had_islands or is_at_end)):
            self.endpoint.acknowledge()
        elif self.unacknowledged:
            self._delay()
        if is_at_end and not self.has_finished:
            self.has_finished = True
            self.endpoint.peer_finished()

    def _deliver(self) -> None:
        while self._expected and self._expected[0][0] <= self.next:
            self._expected.popleft()[1]()

    def _add_island(self, start: int, end: int) -> None:
        merged: list[tuple[int, int]] = []
        for known_start, known_end in sorted([*self.islands, (start, end)]):
            if merged and known_start <= merged[-1][1]:
                merged[-1] = (merged[-1][0], max(merged[-1][1], known_end))
            else:
                merged.append((known_start, known_end))
        self.islands = merged

    def _delay(self) -> None:
        self._deadline = self.endpoint.now_ns + DELAYED_ACK_NS
        if not self._is_timer_set:
            self._is_timer_set = True
            self.endpoint.events.at(self._deadline, self._look_at_timer)

    def _look_at_timer(self) -> None:
        self._is_timer_set = False
        if not self.unacknowledged or not self.endpoint.is_open:
            return
        if self.endpoint.now_ns < self._deadline:
            self._is_timer_set = True
            self.endpoint.events.at(self._deadline, self._look_at_timer)
        else:
            self.endpoint.acknowledge()
