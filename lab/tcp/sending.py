"""The sending half of an endpoint: windows, retransmission time-outs (RFC 6298), fast retransmit (RFC 5681, 6582)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.events import MILLISECOND, SECOND
from lab.tcp.segment import ACK, FIN, PSH, Segment

if TYPE_CHECKING:
    from lab.tcp.endpoint import Endpoint

RTO_LEAST_NS = 200 * MILLISECOND
RTO_MOST_NS = 8 * SECOND
RETRIES_MOST = 6
DUPLICATES_FOR_RETRANSMIT = 3


class Sender:
    """What one side has written, sent and had acknowledged. Sequence number 0 is the SYN."""

    __slots__ = (
        "_buffer",
        "_deadline",
        "_duplicates",
        "_is_timer_set",
        "_recovery_end",
        "_retries",
        "_rto",
        "_slow_start_limit",
        "_srtt",
        "_timed_at",
        "_timed_end",
        "_variation",
        "_window",
        "end",
        "endpoint",
        "first_unacknowledged",
        "is_finishing",
        "mss",
        "next",
        "peer_window",
    )  # fmt: skip

    def __init__(self, endpoint: Endpoint, mss: int, peer_window: int) -> None:
        self.endpoint = endpoint
        self.mss = mss
        self.first_unacknowledged = 0
        self.next = 0
        self.end = 1
        self.is_finishing = False
        self.peer_window = peer_window
        self._window = 10 * mss
        self._slow_start_limit = 1 << 30
        self._duplicates = 0
        self._recovery_end = 0
        self._buffer = bytearray()
        self._srtt = 0
        self._variation = 0
        self._rto = SECOND
        self._retries = 0
        self._timed_end = 0
        self._timed_at = 0
        self._deadline = 0
        self._is_timer_set = False

    @property
    def is_all_acknowledged(self) -> bool:
        return self.first_unacknowledged == self.next

    @property
    def is_finished(self) -> bool:
        """Whether our FIN has been acknowledged."""
        return self.is_finishing and self.first_unacknowledged == self.end + 1

    def write(self, payload: bytes) -> int:
        """Queue `payload` and send what the windows allow; answers the sequence number after it."""
        self._buffer += payload
        self.end += len(payload)
        self.pump()
        return self.end

    def finish(self) -> None:
        """Send a FIN after what is queued."""
        self.is_finishing = True
        self.pump()

    def pump(self) -> None:
        """Send new segments as far as the congestion window and the peer's window reach."""
        limit = self.first_unacknowledged + min(self._window, self.peer_window)
        while self.next < self.end:
            size = min(self.mss, self.end - self.next)
            if self.next + size > limit and self.next > self.first_unacknowledged:
                break
            if not self._timed_end:
                self._timed_end, self._timed_at = self.next + size, self.endpoint.now_ns
            self._transmit(self.next, size)
            self.next += size
        if self.is_finishing and self.next == self.end:
            self._transmit(self.end, 0)
            self.next = self.end + 1
        self.restart_timer()

    def _transmit(self, seq: int, size: int) -> None:
        if seq == self.end:
            self.endpoint.transmit(FIN | ACK, seq)
            return
        start = seq - (self.end - len(self._buffer))
        flags = ACK | PSH if seq + size == self.end else ACK
        self.endpoint.transmit(flags, seq, bytes(self._buffer[start : start + size]))

    def acknowledge(self, segment: Segment) -> None:
        """Take the acknowledgement of a segment from the peer."""
        ack = segment.ack
        if ack > self.next:
            return
        if ack > self.first_unacknowledged:
            self._advance(ack)
        elif ack == self.first_unacknowledged and ack < self.next and not segment.length and not segment.flags & FIN:
            self._count_duplicate()
        self.pump()

    def _advance(self, ack: int) -> None:
        acknowledged = ack - self.first_unacknowledged
        self.first_unacknowledged = ack
        keep = max(0, self.end - ack)
        if keep < len(self._buffer):
            del self._buffer[: len(self._buffer) - keep]
        self._duplicates = 0
        self._retries = 0
        if self._timed_end and ack >= self._timed_end:
            self.measure(self.endpoint.now_ns - self._timed_at)
            self._timed_end = 0
        if self._recovery_end:
            if ack >= self._recovery_end:
                self._recovery_end = 0
                self._window = self._slow_start_limit
            else:
                self._resend()
        elif self._window < self._slow_start_limit:
            self._window += min(acknowledged, 2 * self.mss)
        else:
            self._window += max(1, self.mss * self.mss // self._window)
        self._deadline = 0

    def _count_duplicate(self) -> None:
        self._duplicates += 1
        if self._recovery_end:
            self._window += self.mss
        elif self._duplicates == DUPLICATES_FOR_RETRANSMIT:
            self._slow_start_limit = max((self.next - self.first_unacknowledged) // 2, 2 * self.mss)
            self._window = self._slow_start_limit + 3 * self.mss
            self._recovery_end = self.next
            self._resend()

    def _resend(self) -> None:
        """Send the first unacknowledged segment again; its round trip can no longer be told (Karn)."""
        self._timed_end = 0
        seq = self.first_unacknowledged
        self._transmit(seq, min(self.mss, self.end - seq, self.next - seq))

    def measure(self, round_trip_ns: int) -> None:
        """Take a round trip into the smoothed one (RFC 6298, section 2)."""
        if not self._srtt:
            self._srtt, self._variation = round_trip_ns, round_trip_ns // 2
        else:
            self._variation = (3 * self._variation + abs(self._srtt - round_trip_ns)) // 4
            self._srtt = (7 * self._srtt + round_trip_ns) // 8
        self._rto = max(RTO_LEAST_NS, self._srtt + 4 * self._variation)

    def restart_timer(self) -> None:
        """Keep a deadline while something is unacknowledged. One event per sender looks after it, however it moves."""
        if self.is_all_acknowledged or self.first_unacknowledged == 0:
            self._deadline = 0
        elif not self._deadline:
            self._deadline = self.endpoint.now_ns + min(self._rto << self._retries, RTO_MOST_NS)
            if not self._is_timer_set:
                self._is_timer_set = True
                self.endpoint.events.at(self._deadline, self._look_at_timer)

    def _look_at_timer(self) -> None:
        self._is_timer_set = False
        if not self._deadline or not self.endpoint.is_open:
            return
        if self.endpoint.now_ns < self._deadline:
            self._is_timer_set = True
            self.endpoint.events.at(self._deadline, self._look_at_timer)
            return
        self._retries += 1
        if self._retries > RETRIES_MOST:
            self.endpoint.give_up()
            return
        self._slow_start_limit = max((self.next - self.first_unacknowledged) // 2, 2 * self.mss)
        self._window = self.mss
        self._duplicates = 0
        self._recovery_end = self.next
        self._deadline = 0
        self._resend()
        self.restart_timer()
