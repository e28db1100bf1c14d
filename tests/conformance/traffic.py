"""Connections as no sane stack would make them, to be judged by tshark and by us: seeded, as frames with their times.

What may happen: every way to begin (simultaneous, half seen, mid-stream, SYN with data, SYN and SYN-ACK resent, RFC
7413's fast open), lost, resent, overlapping and late segments, duplicate ACKs, keep-alives with 0 and 1 byte, closed
windows and probes, exactly full windows, resets with data, ports used anew, sequence numbers that wrap or jump, flags
that exclude each other, time stamps that go back.
"""

from __future__ import annotations

import random
import struct
from ipaddress import ip_address

WORD = 1 << 32
FIN, SYN, RST, PSH, ACK, URG, ECE, CWR = 1, 2, 4, 8, 16, 32, 64, 128
US, MS = 1_000, 1_000_000
EPOCH = 1_700_000_000 * 1000 * MS
PAUSES = (0, US, 100 * US, MS, 2 * MS, 3 * MS, 5 * MS, 19 * MS, 20 * MS, 21 * MS, 50 * MS, 300 * MS)
ISNS = (0, 1, 1000, 2**31 - 2, 2**31, 2**32 - 1, 2**32 - 2, 2**32 - 3000)
OPENINGS = ("usual", "usual", "usual", "simultaneous", "no syn", "no syn-ack", "middle", "refused", "fast open")
OPENINGS += ("syn again", "syn-ack again", "only syn", "no ack", "late syn", "other syn-ack", "syn-ack data")


def checksum(data: bytes) -> int:
    """RFC 1071."""
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ip_packet(source: str, target: str, protocol: int, body: bytes, identification: int = 0, ttl: int = 64) -> bytes:
    """An IPv4 or IPv6 packet around a transport segment."""
    a, b = ip_address(source), ip_address(target)
    if a.version == 6:
        return struct.pack(">IHBB", 6 << 28, len(body), protocol, ttl) + a.packed + b.packed + body
    length = 20 + len(body)
    head = struct.pack(">BBHHHBBH", 0x45, 0, length, identification, 0, ttl, protocol, 0) + a.packed + b.packed
    return head[:10] + struct.pack(">H", checksum(head)) + head[12:] + body


def ethernet(packet: bytes) -> bytes:
    """An Ethernet frame around an IP packet."""
    kind = 0x0800 if packet[0] >> 4 == 4 else 0x86DD
    return b"\x02\0\0\0\0\x01\x02\0\0\0\0\x02" + struct.pack(">H", kind) + packet


def segment(ports: tuple[int, int], seq: int, ack: int, flags: int, window: int, options: bytes, length: int) -> bytes:
    """A TCP segment; its payload is zeros."""
    options += b"\x01" * (-len(options) % 4)
    head = struct.pack(">HHII", *ports, seq % WORD, ack % WORD)
    head += struct.pack(">BBHHH", (5 + len(options) // 4) << 4, flags, window, 0, 0)
    return head + options + b"\0" * length


class Connection:
    """One pair of endpoints; `frames` are (time, frame) in the order of capture."""

    def __init__(self, number: int, seed: int) -> None:
        self.rng = rng = random.Random(f"{number} {seed}")
        is_six = rng.random() < 0.2
        net = "2001:db8::{:x}:{:x}" if is_six else "10.{}.{}.1"
        self.hosts = [net.format(number >> 8, number & 255), "2001:db8:1::1" if is_six else "192.168.77.1"]
        self.ports = [40_000 + number % 20_000, 39_999]
        self.now = EPOCH + number * MS
        self.frames: list[tuple[int, bytes]] = []
        self.is_unordered = rng.random() < 0.1
        self.has_stamps = rng.random() < 0.3
        self.windows = [rng.choice((500, 2000, 65535)) for _ in "ab"]
        self.scales = [rng.choice((None, None, 0, 1, 2, 7, 14, 15)) for _ in "ab"]
        self.begin()

    def begin(self) -> None:
        self.next = [self.rng.choice((*ISNS, self.rng.randrange(WORD))) for _ in "ab"]
        self.seen = [0, 0]  # what each side acknowledges
        self.sent: list[list[tuple[int, int]]] = [[], []]
        getattr(self, "open_" + self.rng.choice(OPENINGS).replace(" ", "_").replace("-", "_"))()

    def pause(self) -> None:
        self.now += self.rng.choice(PAUSES)
        if self.is_unordered and self.rng.random() < 0.1:
            self.now -= self.rng.choice((MS, 10 * MS, 400 * MS))

    def emit(self, side: int, flags: int, length: int = 0, **more: int | bytes) -> None:
        """A segment as it is on the wire; `seq`, `ack`, `window`, `options` instead of the usual ones."""
        self.pause()
        ports = (self.ports[side], self.ports[1 - side])
        ack = more.get("ack", self.seen[side] if flags & ACK else 0)
        options = more.get("options", struct.pack(">BBII", 8, 10, 1, 1) if self.has_stamps else b"")
        numbers = (more.get("seq", self.next[side]), ack, flags, more.get("window", self.windows[side]))
        body = segment(ports, *numbers, options, length)
        packet = ip_packet(self.hosts[side], self.hosts[1 - side], 6, body, self.rng.randrange(65536))
        self.frames.append((self.now, ethernet(packet)))

    def send(self, side: int, flags: int, length: int = 0, *, is_lost: bool = False, **more: int | bytes) -> None:
        """The next segment of a side, as a stack would send it."""
        if is_lost:
            self.pause()
        else:
            self.emit(side, flags, length, **more)
        self.sent[side].append((self.next[side], length))
        self.next[side] = (self.next[side] + length + bool(flags & SYN) + bool(flags & FIN)) % WORD
        self.seen[1 - side] = self.next[side]

    def syn(self, side: int, flags: int = SYN, *, is_lost: bool = False, length: int = 0) -> None:
        scale = self.scales[side]
        options = struct.pack(">BBH", 2, 4, 1460) + (b"" if scale is None else struct.pack(">BBB", 3, 3, scale))
        if length:
            options += b"\x22\x0a12345678"
        self.send(side, flags, length, is_lost=is_lost, options=options)

    def again(self, side: int, flags: int = SYN) -> None:
        """The SYN just sent, once more."""
        self.next[side] = (self.next[side] - 1) % WORD
        self.syn(side, flags)

    def open_usual(self) -> None:
        self.syn(0)
        self.syn(1, SYN | ACK)
        self.send(0, ACK)

    def open_simultaneous(self) -> None:
        self.syn(0)
        self.syn(1)
        self.again(0, SYN | ACK)
        self.again(1, SYN | ACK)
        self.send(0, ACK)

    def open_no_syn(self) -> None:
        self.syn(0, is_lost=True)
        self.syn(1, SYN | ACK)
        self.send(0, ACK)

    def open_no_syn_ack(self) -> None:
        self.syn(0)
        self.syn(1, SYN | ACK, is_lost=True)
        self.send(0, ACK)

    def open_middle(self) -> None:
        self.seen = [self.next[1], self.next[0]]

    def open_refused(self) -> None:
        self.syn(0)
        self.emit(1, RST | ACK, seq=self.rng.choice((0, self.next[1])), window=0)
        if self.rng.random() < 0.5:
            self.again(0)

    def open_fast_open(self) -> None:
        self.syn(0, length=100)
        self.syn(1, SYN | ACK)
        self.send(1, ACK | PSH, 200)
        self.send(0, ACK)

    def open_syn_again(self) -> None:
        self.syn(0)
        self.again(0)
        self.syn(1, SYN | ACK)
        self.send(0, ACK)

    def open_syn_ack_again(self) -> None:
        self.syn(0)
        self.syn(1, SYN | ACK)
        self.again(1, SYN | ACK)
        self.send(0, ACK)

    def open_only_syn(self) -> None:
        for _ in range(self.rng.randrange(1, 4)):
            self.syn(0)
            self.next[0] = (self.next[0] - 1) % WORD

    def open_no_ack(self) -> None:
        self.syn(0)
        self.syn(1, SYN | ACK)

    def open_late_syn(self) -> None:
        isn = self.next[0]
        self.syn(0, is_lost=True)
        self.syn(1, SYN | ACK)
        self.emit(0, SYN, seq=isn)

    def open_other_syn_ack(self) -> None:
        self.syn(0)
        self.syn(1, SYN | ACK)
        self.next[1] = self.rng.randrange(WORD)
        self.syn(1, SYN | ACK)
        self.send(0, ACK)

    def open_syn_ack_data(self) -> None:
        self.syn(0)
        self.syn(1, SYN | ACK, length=50)
        self.send(0, ACK)

    def run(self, steps: int) -> list[tuple[int, bytes]]:
        """Something happens, again and again."""
        names = sorted(name for name in dir(self) if name.startswith("step_"))
        weights = [getattr(self, name).__func__.__defaults__[0] for name in names]
        for _ in range(steps):
            getattr(self, self.rng.choices(names, weights)[0])()
        return self.frames

    def side(self) -> int:
        return self.rng.randrange(2)

    def step_data(self, weight: int = 30) -> None:
        side, length = self.side(), self.rng.choice((1, 2, 100, 536, 1460))
        self.send(side, ACK | PSH, length, is_lost=self.rng.random() < 0.12)

    def step_burst(self, weight: int = 8) -> None:
        side = self.side()
        for _ in range(self.rng.randrange(2, 8)):
            self.send(side, ACK, 1000, is_lost=self.rng.random() < 0.1)

    def step_ack(self, weight: int = 15) -> None:
        self.send(self.side(), ACK)

    def step_swap(self, weight: int = 4) -> None:
        """Two segments change places."""
        side = self.side()
        at = len(self.frames)
        self.send(side, ACK, 300)
        self.send(side, ACK, 400)
        if len(self.frames) == at + 2:
            (first, a), (second, b) = self.frames[at:]
            self.frames[at:] = [(first, b), (second, a)]

    def step_resend(self, weight: int = 12) -> None:
        side = self.side()
        if self.sent[side]:
            seq, length = self.rng.choice(self.sent[side][-6:])
            self.emit(side, ACK | self.rng.choice((0, PSH, FIN)), length, seq=seq)

    def step_overlap(self, weight: int = 5) -> None:
        side = self.side()
        if self.sent[side]:
            seq, length = self.rng.choice(self.sent[side][-4:])
            moved = self.rng.randrange(-3, length + 2)
            self.emit(side, ACK, max(length + self.rng.randrange(-5, 400), 0), seq=seq + moved)
            end = seq + moved + length
            if self.rng.random() < 0.5 and 0 < (end - self.next[side]) % WORD < 2000:
                self.next[side] = end % WORD

    def step_duplicate_acks(self, weight: int = 8) -> None:
        side = self.side()
        back = self.rng.choice((0, 100, 1000, 1460))
        for _ in range(self.rng.randrange(1, 6)):
            self.emit(side, ACK, ack=self.seen[side] - back)
        if self.rng.random() < 0.6:
            self.emit(1 - side, ACK, self.rng.choice((1, 100, 1000)), seq=self.seen[side] - back)

    def step_keep_alive(self, weight: int = 5) -> None:
        side = self.side()
        for _ in range(self.rng.randrange(1, 3)):
            self.emit(side, self.rng.choice((ACK, ACK, ACK | PSH)), self.rng.randrange(2), seq=self.next[side] - 1)
            if self.rng.random() < 0.7:
                self.emit(1 - side, ACK)

    def step_zero_window(self, weight: int = 6) -> None:
        side = self.side()
        for _ in range(self.rng.randrange(1, 3)):
            self.emit(side, self.rng.choice((ACK, ACK, ACK, RST | ACK, FIN | ACK)), window=0)
        for _ in range(self.rng.randrange(3)):
            self.emit(1 - side, ACK | PSH, self.rng.choice((1, 1, 1, 2)))
            if self.rng.random() < 0.7:
                self.emit(side, ACK, window=self.rng.choice((0, 0, 500)), ack=self.seen[side] + self.rng.randrange(2))
        if self.rng.random() < 0.5:
            self.send(1 - side, ACK, self.rng.choice((1, 2, 500)))

    def step_window_update(self, weight: int = 5) -> None:
        side = self.side()
        self.windows[side] = self.rng.choice((0, 1, 100, 500, 2000, 65535))
        self.emit(side, ACK)

    def step_fill_window(self, weight: int = 6) -> None:
        """Exactly as much as the other side said it takes, by one reading or another of its scale."""
        side = self.side()
        shift = self.rng.choice((0, min(self.scales[1 - side] or 0, 14), self.scales[1 - side] or 0))
        room = (self.seen[1 - side] + (self.windows[1 - side] << shift) - self.next[side]) % WORD
        if 0 < room <= 4000:
            self.send(side, ACK, room)
        else:
            self.emit(1 - side, ACK, window=100)
            self.send(side, ACK, self.rng.choice((100, 100 << min(shift, 4), 101)))

    def step_unseen(self, weight: int = 4) -> None:
        side = self.side()
        for _ in range(self.rng.randrange(1, 3)):
            self.emit(side, ACK, ack=self.seen[side] + self.rng.choice((1, 100, 1000)))

    def step_reset(self, weight: int = 3) -> None:
        side = self.side()
        seq = self.rng.choice((self.next[side], self.next[side], self.next[side] + 1000, 0, self.next[side] - 1))
        self.emit(side, self.rng.choice((RST, RST | ACK)), self.rng.choice((0, 0, 0, 30)), seq=seq)

    def step_fin(self, weight: int = 4) -> None:
        side = self.side()
        self.send(side, FIN | ACK, self.rng.choice((0, 0, 0, 77)))
        if self.rng.random() < 0.3:
            self.emit(side, FIN | ACK, seq=self.next[side] - 1)

    def step_begin_anew(self, weight: int = 2) -> None:
        if self.rng.random() < 0.5:
            self.begin()
        else:
            self.next[1] = self.rng.randrange(WORD)
            self.syn(1)
            self.syn(0, SYN | ACK)
            self.send(1, ACK)

    def step_same_syn(self, weight: int = 1) -> None:
        side = self.side()
        if self.sent[side]:
            self.emit(side, self.rng.choice((SYN, SYN | ACK)), seq=self.sent[side][0][0])

    def step_odd_flags(self, weight: int = 3) -> None:
        odd = (0, PSH, FIN, SYN | FIN, SYN | RST, FIN | RST, URG | ACK, ECE | CWR | ACK, SYN | ACK, SYN | ECE | CWR, 63)
        side = self.side()
        self.emit(side, self.rng.choice(odd), self.rng.choice((0, 0, 1, 60)), seq=self.next[side])

    def step_odd_ack(self, weight: int = 2) -> None:
        """An ACK number without the flag, or none with it."""
        side = self.side()
        self.emit(side, self.rng.choice((0, PSH, ACK)), self.rng.choice((0, 10)), ack=self.rng.choice((0, 5, 2**31)))

    def step_odd_option(self, weight: int = 1) -> None:
        """A window scale where none belongs."""
        side = self.side()
        self.emit(side, self.rng.choice((ACK, 0, RST)), options=struct.pack(">BBB", 3, 3, self.rng.randrange(16)))

    def step_jump(self, weight: int = 1) -> None:
        side = self.side()
        self.next[side] = (self.next[side] + self.rng.choice((2**31 - 1, 2**31, 2**31 + 1, 2**30, -5000))) % WORD
        self.send(side, ACK, self.rng.choice((0, 10)))


def connections(count: int, steps: int, seed: int) -> list[tuple[int, bytes]]:
    """Frames of that many connections, one after the other."""
    return [frame for number in range(count) for frame in Connection(number, seed).run(steps)]
