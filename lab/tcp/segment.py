"""A TCP segment inside the lab. Sequence numbers count from the sender's SYN (0), so nothing wraps around here."""

from __future__ import annotations

CLIENT, SERVER = 0, 1
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16


class Segment:
    """One segment on its way; `packet` holds the bytes of its IP packet, `clock_ms` the sender's timestamp."""

    __slots__ = ("ack", "clock_ms", "flags", "length", "packet", "seq", "side")
    is_error = False

    def __init__(self, side: int, flags: int, seq: int, ack: int, length: int, clock_ms: int, packet: bytes) -> None:
        self.side = side
        self.flags = flags
        self.seq = seq
        self.ack = ack
        self.length = length
        self.clock_ms = clock_ms
        self.packet = packet

    @property
    def end(self) -> int:
        """The sequence number after this segment."""
        return self.seq + self.length + (1 if self.flags & (SYN | FIN) else 0)


class IcmpError(Segment):
    """An ICMP error that quotes a segment; it comes from the server's side and stands for no segment of it."""

    __slots__ = ()
    is_error = True

    def __init__(self, packet: bytes) -> None:
        super().__init__(SERVER, 0, 0, 0, 0, 0, packet)
