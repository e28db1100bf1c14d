"""A plain reading of a lab capture, byte by byte, and METRICS.md's handshake and response time computed from it.

It shares no code with the lab or with wire: what both say must come out the same.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path

OUTER = 14 + 20 + 8
FIN, SYN, RST, ACK = 1, 2, 4, 16


@dataclass(frozen=True)
class Packet:
    """One mirrored IP packet."""

    time_ns: int
    vni: int
    ip: bytes

    @property
    def version(self) -> int:
        return self.ip[0] >> 4

    @property
    def protocol(self) -> int:
        return self.ip[9] if self.version == 4 else self.ip[6]

    @property
    def addresses(self) -> tuple[bytes, bytes]:
        return (self.ip[12:16], self.ip[16:20]) if self.version == 4 else (self.ip[8:24], self.ip[24:40])

    @property
    def body(self) -> bytes:
        return self.ip[20:] if self.version == 4 else self.ip[40:]


@dataclass
class Flow:
    """One connection under one VNI."""

    client: tuple[bytes, int]
    server: tuple[bytes, int]
    vni: int
    isn: list[int | None] = field(default_factory=lambda: [None, None])
    syns: list[int] = field(default_factory=list)
    syn_acks: list[int] = field(default_factory=list)
    is_open: bool = False
    next: list[int] = field(default_factory=lambda: [1, 1])
    request_end: int | None = None
    is_request_valid: bool = False
    samples: dict[str, list[int]] = field(default_factory=dict)

    def add(self, name: str, value: int) -> None:
        self.samples.setdefault(name, []).append(value)


def packets(path: Path) -> Iterator[Packet]:
    """Every packet of a nanosecond VXLAN capture."""
    data = path.read_bytes()
    assert struct.unpack("<IHH", data[:8]) == (0xA1B23C4D, 2, 4)
    at = 24
    while at < len(data):
        seconds, fraction, captured, length = struct.unpack("<IIII", data[at : at + 16])
        assert captured == length
        frame = data[at + 16 : at + 16 + captured]
        flags, vni = struct.unpack("!II", frame[OUTER : OUTER + 8])
        assert flags == 0x08000000
        inner = frame[OUTER + 8 :]
        assert struct.unpack("!H", inner[12:14])[0] == {4: 0x0800, 6: 0x86DD}[inner[14] >> 4]
        yield Packet(seconds * 1_000_000_000 + fraction, vni >> 8, inner[14:])
        at += 16 + captured


def word_sum(data: bytes) -> int:
    """RFC 1071, as it is written there."""
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def has_valid_checksums(packet: Packet) -> bool:
    """IPv4's header checksum, and that of TCP, UDP or ICMP."""
    if packet.version == 4:
        if word_sum(packet.ip[:20]) != 0xFFFF or len(packet.ip) != int.from_bytes(packet.ip[2:4], "big"):
            return False
    elif len(packet.body) != int.from_bytes(packet.ip[4:6], "big"):
        return False
    pseudo = b"" if packet.protocol == 1 else b"".join(packet.addresses)
    pseudo += b"" if packet.protocol == 1 else struct.pack("!II", len(packet.body), packet.protocol)
    return word_sum(pseudo + packet.body) == 0xFFFF


def measure(path: Path) -> list[Flow]:
    """All TCP connections of a capture with their samples, in the order of their first packets."""
    flows: dict[tuple[object, ...], Flow] = {}
    found = []
    for packet in packets(path):
        if packet.protocol != 6:
            continue
        ports = struct.unpack("!HH", packet.body[:4])
        ends = tuple(zip(packet.addresses, ports, strict=True))
        key = (packet.vni, frozenset(ends))
        flow = flows.get(key)
        is_syn = packet.body[13] & (SYN | ACK) == SYN
        if flow is None:
            assert is_syn, "every connection of the lab begins with a SYN"
            flow = flows[key] = Flow(ends[0], ends[1], packet.vni)
            found.append(flow)
        _observe(flow, packet, 0 if ends[0] == flow.client else 1)
    return found


def _observe(flow: Flow, packet: Packet, side: int) -> None:
    seq, ack = struct.unpack("!II", packet.body[4:12])
    flags = packet.body[13]
    length = len(packet.body) - (packet.body[12] >> 4) * 4
    if flags & SYN:
        if flow.isn[side] is None:
            flow.isn[side] = seq
        seen = flow.syn_acks if flags & ACK else flow.syns
        seen.append(packet.time_ns)
        return
    peer_isn = flow.isn[1 - side]
    acked = (ack - peer_isn) & 0xFFFFFFFF if flags & ACK and peer_isn is not None else 0
    if not flow.is_open and (length > 0 or (side == 0 and flags & (ACK | RST))):
        flow.is_open = True
        _end_handshake(flow, packet.time_ns, side == 0 and acked == 1 and not flags & RST)
    own_isn = flow.isn[side]
    if own_isn is None or (flags & RST and not flags & ACK):
        return
    place = (seq - own_isn) & 0xFFFFFFFF
    if length > 0 and place >= flow.next[side]:
        _observe_payload(flow, side, acked, packet.time_ns)
    flow.next[side] = max(flow.next[side], place + length)


def _end_handshake(flow: Flow, time_ns: int, is_acknowledged: bool) -> None:
    is_single = len(flow.syns) == len(flow.syn_acks) == 1
    if is_single:
        flow.add("handshake_rtt_server", flow.syn_acks[0] - flow.syns[0])
    if is_acknowledged and len(flow.syn_acks) == 1:
        flow.add("handshake_rtt_client", time_ns - flow.syn_acks[0])
        if is_single:
            flow.add("handshake_rtt", time_ns - flow.syns[0])


def _observe_payload(flow: Flow, side: int, acked: int, time_ns: int) -> None:
    if side == 0:
        if flow.request_end is None:
            flow.is_request_valid = acked >= flow.next[1]
        flow.request_end = time_ns
    elif flow.request_end is not None:
        if flow.is_request_valid and acked >= flow.next[0]:
            flow.add("response_time", time_ns - flow.request_end)
        flow.request_end = None


def server_text(flow: Flow) -> str:
    return str(ip_address(flow.server[0]))
