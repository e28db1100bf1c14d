"""Tunnel heads that we build are the ones that we, and tshark, take off again."""

from __future__ import annotations

import numpy as np
import pytest

from tests.wire.packets.decoding import address
from tests.wire.packets.frames import ethernet, geneve, geneve_option, ipv4, tcp, vxlan
from wire.packets.batch import PacketBatch
from wire.packets.decode import decode_batch
from wire.packets.fragments import new_fragment_table
from wire.packets.layout import new_error_counters, new_packets
from wire.packets.tunnel import address_bits, apply_peer_times, geneve_heads, synthesize_heads, vxlan_heads
from wire.packets.udp import HEADROOM, UdpBatch

INNER = ethernet(ipv4(tcp(b"hello"), 6))
TIME = 1_700_000_000_123_456_789


def received(*datagrams: bytes, peer: str = "10.1.2.3", port: int = 40000) -> UdpBatch:
    slot = HEADROOM + max(len(datagram) for datagram in datagrams)
    buffer = np.full(slot * len(datagrams), 0xA5, np.uint8)
    offset = np.arange(len(datagrams)) * slot + HEADROOM
    for at, datagram in zip(offset, datagrams, strict=True):
        buffer[at : at + len(datagram)] = np.frombuffer(datagram, np.uint8)
    high, low = address_bits(peer)
    count = len(datagrams)
    lengths = np.array([len(datagram) for datagram in datagrams], np.int32)
    times = np.arange(count, dtype=np.int64) + TIME
    peers = (np.full(count, high), np.full(count, low), np.full(count, port, np.int32))
    return UdpBatch(buffer, offset, lengths, lengths, times, *peers)


def decoded(batch: PacketBatch) -> np.ndarray:
    out = new_packets(batch.packets)
    decode_batch(batch, out, new_error_counters(), new_fragment_table(8))
    return out


def test_it_builds_heads_that_decode() -> None:
    vnis = np.array([0, 5, 2**24 - 1])
    mirror = [head.tobytes() + INNER for head in vxlan_heads(vnis)]
    broker = [head.tobytes() + INNER for head in geneve_heads(vnis, np.array([TIME, 1, 2]))]
    assert mirror[1] == vxlan(INNER, 5)
    rows = decoded(synthesize_heads(received(*mirror, *broker), "10.9.9.9", 1))
    assert rows["vni"].tolist() == [0, 5, 2**24 - 1] * 2
    assert rows["peer_time_ns"].tolist() == [0, 0, 0, TIME, 1, 2]
    assert rows["payload_length"].tolist() == [5] * 6
    assert rows["tunnels"].tolist() == [1] * 6


@pytest.mark.parametrize(("peer", "local", "head"), [("10.1.2.3", "10.9.9.9", 42), ("2001:db8::5", "::1", 62)])
def test_it_stores_a_datagram_as_the_frame_it_came_in(peer: str, local: str, head: int) -> None:
    batch = synthesize_heads(received(vxlan(INNER, 5), geneve(INNER, 6), b"neither of them", peer=peer), local, 6082)
    rows = decoded(batch)
    assert rows["vni"].tolist() == [5, 6, -1]
    assert (address(rows[2], "src"), address(rows[2], "dst")) == (peer, local)
    assert (rows[2]["src_port"], rows[2]["dst_port"], rows[2]["payload_length"]) == (40000, 6082, 15)
    assert batch.frame(0)[head:] == vxlan(INNER, 5)
    assert [int.from_bytes(batch.frame(i)[head - 6 : head - 4], "big") for i in range(3)] == [4789, 6081, 6082]
    assert batch.captured.tolist() == batch.wire_length.tolist()
    assert batch.time_ns.tolist() == [TIME, TIME + 1, TIME + 2]


def test_it_writes_a_right_header_checksum() -> None:
    header = synthesize_heads(received(vxlan(INNER, 5)), "10.9.9.9", 1).frame(0)[14:34]
    total = sum(int.from_bytes(header[at : at + 2], "big") for at in range(0, 20, 2))
    assert (total & 0xFFFF) + (total >> 16) == 0xFFFF


def test_it_prefers_the_brokers_receive_time() -> None:
    ours = geneve_heads(np.array([1]), np.array([TIME - 50]))[0].tobytes() + INNER
    other = geneve(INNER, 1, geneve_option(0xFF01, 2, bytes(8)) + geneve_option(0x0108, 1, bytes(8)))
    batch = received(ours, other, vxlan(INNER, 5), ours[:16], b"")
    assert apply_peer_times(batch.buffer, batch.offset, batch.length, batch.time_ns) == 1
    assert batch.time_ns.tolist() == [TIME - 50, TIME + 1, TIME + 2, TIME + 3, TIME + 4]


def test_it_writes_addresses_as_records_do() -> None:
    assert address_bits("10.1.2.3") == (0, 0xFFFF_0A01_0203)
    assert address_bits("ffff::1") == (-(1 << 48), 1)


def test_it_tells_geneve_with_ip_from_vxlan() -> None:
    """A load balancer's options are 32 bytes long: the first byte is that of VXLAN."""
    packet = INNER[14:]
    balancer = bytes([0x08, 0]) + b"\x08\0" + (7).to_bytes(3, "big") + b"\0" + bytes(32) + packet
    (record,) = decoded(synthesize_heads(received(balancer), "10.9.9.9", 4789))
    assert (record["vni"], record["tunnels"], record["error"]) == (7, 1, 0)
    group = b"\x88\0\x08\0" + (9).to_bytes(3, "big") + b"\0" + INNER  # VXLAN with group 0x0800
    assert decoded(synthesize_heads(received(group), "10.9.9.9", 4789))["vni"].tolist() == [9]


def test_a_cut_datagram_keeps_the_length_that_it_had() -> None:
    whole = vxlan_heads(np.array([5]))[0].tobytes() + INNER
    batch = received(whole[:40])._replace(wire_length=np.array([len(whole)], np.int32))
    stored = synthesize_heads(batch, "10.9.9.9", 4789)
    assert (stored.captured.tolist(), stored.wire_length.tolist()) == ([82], [42 + len(whole)])
    assert int.from_bytes(stored.frame(0)[16:18], "big") == 28 + len(whole)
