"""Packets in words: `Talk().handshake(rtt_ms=20).request(100).response(5000, think_ms=30).close().packets`.

A Talk keeps clock, sequence numbers and ports of one connection and collects PACKET records; `frame_of` makes an
Ethernet frame of one, for tests that begin at the wire.
"""

from __future__ import annotations

import struct
from ipaddress import ip_address

import numpy as np

from wire.packets.layout import ACK, FIN, ICMP, PACKET, PSH, RST, SYN, TCP, UDP, URG, empty_packet

MS = 1_000_000
EPOCH = 1_700_000_000 * 1000 * MS
FLAGS = {"F": FIN, "S": SYN, "R": RST, "P": PSH, "A": ACK, "U": URG}
WORD = 1 << 32


def words(address: str) -> tuple[int, int]:
    """An address as the two int64 halves of a PACKET; IPv4 as ::ffff:a.b.c.d."""
    value = ip_address(address)
    packed = (b"\0" * 10 + b"\xff\xff" + value.packed) if value.version == 4 else value.packed
    high, low = struct.unpack(">qq", packed)
    return high, low


def packet(time_ns: int, src: str, dst: str, protocol: int, length: int, **fields: int) -> np.ndarray:
    """One IP packet of `length` bytes as an array of one record; further fields by name."""
    one = empty_packet()
    row = one[0]
    row["time_ns"] = time_ns
    row["version"] = ip_address(src).version
    row["protocol"] = protocol
    row["src_hi"], row["src_lo"] = words(src)
    row["dst_hi"], row["dst_lo"] = words(dst)
    row["ip_length"] = length
    row["captured"] = row["wire_length"] = 14 + length
    row["complete"] = 1
    for name, value in fields.items():
        row[name] = value
    return one


def tcp(
    time_ns: int, src: str, dst: str, ports: tuple[int, int], flags: str, seq: int, ack: int, length: int = 0, **more
):
    """A TCP segment; flags as letters of FSRPAU."""
    bits = sum(FLAGS[letter] for letter in flags)
    named = {"src_port": ports[0], "dst_port": ports[1], "flags": bits, "seq": seq % WORD, "ack": ack % WORD}
    return packet(time_ns, src, dst, TCP, 40 + length, payload_length=length, **{"window": 1000, **named, **more})


def udp(time_ns: int, src: str, dst: str, ports: tuple[int, int], length: int = 100, **more: int) -> np.ndarray:
    """A UDP datagram with `length` bytes of payload."""
    named = {"src_port": ports[0], "dst_port": ports[1], "payload_length": length}
    return packet(time_ns, src, dst, UDP, 28 + length, **named, **more)


def unreachable(time_ns: int, router: str, syn: np.ndarray, code: int = 1) -> np.ndarray:
    """An ICMP "destination unreachable" that quotes a TCP packet."""
    quoted = syn[0]
    source = ".".join(str((int(quoted["src_lo"]) >> shift) & 255) for shift in (24, 16, 8, 0))
    names = ("src_hi", "src_lo", "dst_hi", "dst_lo", "src_port", "dst_port", "seq", "protocol")
    fields = {f"quoted_{name}": int(quoted[name]) for name in names}
    return packet(time_ns, router, source, ICMP, 56, icmp_type=3, icmp_code=code, **fields)


def join(*parts: np.ndarray | Talk) -> np.ndarray:
    """All packets in the order of time (equal times keep the order given)."""
    arrays = [part.packets if isinstance(part, Talk) else part for part in parts]
    joined = np.concatenate([np.zeros(0, PACKET), *arrays])
    return joined[np.argsort(joined["time_ns"], kind="stable")]


class Talk:
    """One TCP connection, told step by step; every step moves the clock by `after_ms`."""

    def __init__(
        self,
        client: str = "10.0.0.1",
        server: str = "10.0.0.2",
        client_port: int = 40000,
        server_port: int = 443,
        *,
        at_ms: float = 0,
        isn: tuple[int, int] = (1000, 5000),
        window: int = 1000,
        vni: int = -1,
        vlan: int = -1,
    ) -> None:
        self.ends = (client, server)
        self.ports = (client_port, server_port)
        self.now_ns = EPOCH + round(at_ms * MS)
        self.next = [isn[0], isn[1]]
        self.seen = [0, 0]  # what each side acknowledges
        self.window = [window, window]
        self.fields = {"vni": vni, "vlan": vlan}
        self.parts: list[np.ndarray] = []

    @property
    def packets(self) -> np.ndarray:
        return np.concatenate([np.zeros(0, PACKET), *self.parts])

    def wait(self, ms: float) -> Talk:
        self.now_ns += round(ms * MS)
        return self

    def send(
        self, side: int, flags: str = "A", length: int = 0, *, seq=None, ack=None, after_ms=1.0, lost=False, **more
    ) -> Talk:
        """A segment of side 0 (client) or 1 (server). `seq`, `ack`: instead of the next expected; `lost`: not
        captured."""
        self.wait(after_ms)
        begin = self.next[side] if seq is None else seq
        number = (self.seen[side] if ack is None else ack) if "A" in flags else (ack or 0)
        named = {"window": self.window[side], **self.fields, **more}
        ports = self.ports if side == 0 else self.ports[::-1]
        ends = self.ends if side == 0 else self.ends[::-1]
        if not lost:
            self.parts.append(tcp(self.now_ns, *ends, ports, flags, begin, number, length, **named))
        end = begin + length + ("S" in flags or "F" in flags)
        if seq is None or end > self.next[side]:
            self.next[side] = end
            self.seen[1 - side] = end
        return self

    def client(self, flags: str = "A", length: int = 0, **more) -> Talk:
        return self.send(0, flags, length, **more)

    def server(self, flags: str = "A", length: int = 0, **more) -> Talk:
        return self.send(1, flags, length, **more)

    def handshake(self, rtt_ms: float = 20, client_ms: float = 10, **options: int) -> Talk:
        """SYN, SYN-ACK after `rtt_ms`, ACK after `client_ms`."""
        self.client("S", after_ms=0, **options)
        self.server("SA", after_ms=rtt_ms, **options)
        return self.client("A", after_ms=client_ms)

    def request(self, length: int = 100, *, think_ms: float = 1) -> Talk:
        return self.client("PA", length, after_ms=think_ms)

    def response(self, length: int = 1000, *, think_ms: float = 30, segment: int = 1000, gap_ms: float = 1) -> Talk:
        """Segments of at most `segment` bytes, the first after `think_ms`, each acknowledged at the end of all."""
        after_ms = think_ms
        while length > 0:
            self.server("PA", min(length, segment), after_ms=after_ms)
            length, after_ms = length - segment, gap_ms
        return self.client("A", after_ms=2)

    def close(self) -> Talk:
        """FIN, FIN, ACK."""
        return self.client("FA").server("FA").client("A")


def frame_of(record: np.ndarray) -> bytes:
    """An Ethernet frame with IPv4 and TCP or UDP out of one record; payload bytes are zeros, checksums too."""
    source, target = (struct.pack(">I", int(record[name]) & 0xFFFFFFFF) for name in ("src_lo", "dst_lo"))
    length, protocol = int(record["payload_length"]), int(record["protocol"])
    ports = struct.pack(">HH", int(record["src_port"]), int(record["dst_port"]))
    if protocol == TCP:
        numbers = struct.pack(">II", int(record["seq"]), int(record["ack"]))
        body = ports + numbers + struct.pack(">BBHHH", 0x50, int(record["flags"]), int(record["window"]), 0, 0)
    else:
        body = ports + struct.pack(">HH", 8 + length, 0)
    body += b"\0" * length
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(body), 1, 0, 64, protocol, 0) + source + target
    return b"\x02\0\0\0\0\x01\x02\0\0\0\0\x02\x08\x00" + head + body
