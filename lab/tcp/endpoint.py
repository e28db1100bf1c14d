"""One end of a TCP connection: handshake, resets, close, and the segments that its halves ask it to send (RFC 9293)."""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING

from lab.events import MILLISECOND, SECOND, Events
from lab.frames import Packets
from lab.hosts import Host
from lab.tcp.options import TIMESTAMPS_BYTES, WINDOW_SCALE, segment_options, syn_options
from lab.tcp.receiving import Receiver
from lab.tcp.segment import ACK, CLIENT, FIN, RST, SERVER, SYN, Segment
from lab.tcp.sending import Sender

if TYPE_CHECKING:
    from lab.tcp.connection import Connection

SYN_WINDOW = 64240
WINDOW_BYTES = 128 << 10
SYN_TRIES = 5
HANDSHAKE_RETRY_NS = SECOND
MASK = 0xFFFFFFFF


class State(Enum):
    LISTEN = auto()
    SYN_SENT = auto()
    SYN_RECEIVED = auto()
    ESTABLISHED = auto()
    TIME_WAIT = auto()
    CLOSED = auto()
    DEAF = auto()


class Endpoint:
    """The client or the server of a connection. A deaf one drops what it gets, as behind a firewall."""

    __slots__ = (
        "_echo_ms",
        "_has_timestamps",
        "_syn_at",
        "_tries",
        "announced_mss",
        "connection",
        "events",
        "host",
        "isn",
        "packets",
        "peer",
        "ports",
        "receiver",
        "sender",
        "side",
        "state",
    )  # fmt: skip

    def __init__(self, connection: Connection, side: int, host: Host, packets: Packets, ports: tuple[int, int]) -> None:
        self.connection = connection
        self.events: Events = connection.events
        self.side = side
        self.host = host
        self.packets = packets
        self.ports = ports
        self.isn = self.events.random.getrandbits(32)
        self.state = State.LISTEN if side == SERVER else State.CLOSED
        self.sender = Sender(self, connection.mss, WINDOW_BYTES)
        self.receiver = Receiver(self)
        self.peer: Endpoint = self
        self.announced_mss = connection.mss + (TIMESTAMPS_BYTES if connection.has_timestamps else 0)
        self._tries = 0
        self._syn_at = 0
        self._echo_ms = 0
        self._has_timestamps = connection.has_timestamps

    @property
    def now_ns(self) -> int:
        return self.events.now_ns

    @property
    def is_open(self) -> bool:
        return self.state in (State.ESTABLISHED, State.SYN_RECEIVED)

    def open(self) -> None:
        """Send the first SYN."""
        self.state = State.SYN_SENT
        self._try_handshake(State.SYN_SENT)

    def _try_handshake(self, state: State) -> None:
        """Send the SYN or SYN-ACK and look again after a second, then two, four, ..."""
        if self.state is not state:
            return
        if self._tries == SYN_TRIES:
            self.give_up()
            return
        if not self._tries:
            self._syn_at = self.now_ns
        self._tries += 1
        self.transmit(SYN if state is State.SYN_SENT else SYN | ACK, 0)
        self.sender.next = 1
        self.events.after(HANDSHAKE_RETRY_NS << (self._tries - 1), self._try_handshake, state)

    def transmit(self, flags: int, seq: int, payload: bytes = b"") -> None:
        """Send a segment; whatever is acknowledged by now is acknowledged by it."""
        receiver = self.receiver
        receiver.unacknowledged = 0
        clock_ms = self._clock_ms()
        stamps = (clock_ms, self._echo_ms if flags & ACK else 0) if self._has_timestamps else None
        if flags & RST:
            window, options = 0, b""
        elif flags & SYN:
            window, options = SYN_WINDOW, syn_options(self.announced_mss, stamps)
        else:
            window = WINDOW_BYTES >> WINDOW_SCALE
            options = segment_options(stamps, self._sack_blocks() if receiver.islands and not payload else [])
        ack = (self.peer.isn + receiver.next) & MASK if flags & ACK else 0
        packet = self.packets.tcp(self.ports, (self.isn + seq) & MASK, ack, flags, window, options, payload)
        acked = receiver.next if flags & ACK else 0
        self.connection.path.send(self.side, Segment(self.side, flags, seq, acked, len(payload), clock_ms, packet))

    def _sack_blocks(self) -> list[tuple[int, int]]:
        isn = self.peer.isn
        return [((isn + start) & MASK, (isn + end) & MASK) for start, end in self.receiver.islands[:3]]

    def acknowledge(self) -> None:
        self.transmit(ACK, self.sender.next)

    def _clock_ms(self) -> int:
        return (self.host.clock_offset_ms + (self.now_ns - self.events.start_ns) // MILLISECOND) & MASK

    def receive(self, segment: Segment) -> None:
        """Take a segment that has come through the stack."""
        flags = segment.flags
        if self.state is State.DEAF:
            return
        if segment.is_error:
            self.connection.end("unreachable")
        elif self.state is State.CLOSED:
            if not flags & RST:
                self._refuse(segment)
        elif flags & RST:
            self.connection.end("reset")
        elif flags & SYN:
            self._receive_syn(segment)
        elif self.state is State.TIME_WAIT:
            if segment.length or flags & FIN:
                self.acknowledge()
        elif self.state is not State.SYN_SENT and self.state is not State.LISTEN:
            self._receive_established(segment)

    def _receive_established(self, segment: Segment) -> None:
        if segment.seq <= self.receiver.next:
            self._echo_ms = segment.clock_ms
        if self.state is State.SYN_RECEIVED and segment.ack >= 1:
            self.state = State.ESTABLISHED
            self.sender.first_unacknowledged = 1
            if self._tries == 1:
                self.sender.measure(self.now_ns - self._syn_at)
        self.sender.acknowledge(segment)
        if segment.length or segment.flags & FIN:
            self.receiver.take(segment)
        self._finish_if_done()

    def _receive_syn(self, segment: Segment) -> None:
        self._echo_ms = segment.clock_ms
        self.receiver.next = max(self.receiver.next, 1)
        if self.state is State.LISTEN:
            self.state = State.SYN_RECEIVED
            self._try_handshake(State.SYN_RECEIVED)
        elif self.state is State.SYN_SENT and segment.flags & ACK:
            self.state = State.ESTABLISHED
            self.sender.first_unacknowledged = 1
            if self._tries == 1:
                self.sender.measure(self.now_ns - self._syn_at)
            self.acknowledge()
            self.connection.opened()
        elif self.state is State.SYN_RECEIVED:
            self.transmit(SYN | ACK, 0)
        else:
            self.acknowledge()

    def _refuse(self, segment: Segment) -> None:
        """Answer a segment for which there is no connection with a RST (RFC 9293, 3.10.7.1)."""
        if segment.flags & ACK:
            self.transmit(RST, segment.ack)
        else:
            self.receiver.next = segment.end
            self.transmit(RST | ACK, -self.isn)

    def close(self) -> None:
        """Send a FIN after what is queued."""
        if self.state is State.ESTABLISHED and not self.sender.is_finishing:
            self.sender.finish()

    def reset(self) -> None:
        """Send a RST and forget the connection."""
        if self.is_open:
            self.transmit(RST | ACK, self.sender.next)
            self.state = State.CLOSED

    def peer_finished(self) -> None:
        self.connection.peer_finished(self.side)

    def _finish_if_done(self) -> None:
        if self.state is State.ESTABLISHED and self.receiver.has_finished and self.sender.is_finished:
            self.state = State.TIME_WAIT
            self.connection.end("closed")

    def give_up(self) -> None:
        """Nobody answers: forget the connection without a word."""
        self.state = State.CLOSED
        self.connection.end("unanswered" if self.side == CLIENT and self.receiver.next == 0 else "timed out")
