"""UDP sockets on loopback: many datagrams a call, the kernel's times, what was cut, dropped or refused."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import numpy as np
import pytest

from tests.wire.packets.decoding import address
from wire.packets.udp import HEADROOM, UdpReceiver, UdpSender


def packed(*datagrams: bytes) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    lengths = np.array([len(datagram) for datagram in datagrams])
    return np.frombuffer(bytearray(b"".join(datagrams)), np.uint8), np.cumsum(lengths) - lengths, lengths


@pytest.fixture(params=["127.0.0.1", "::1"])
def receiver(request: pytest.FixtureRequest) -> Iterator[UdpReceiver]:
    found = UdpReceiver(request.param, 0, batch=8)
    yield found
    found.close()


@pytest.fixture
def sender(receiver: UdpReceiver) -> Iterator[UdpSender]:
    found = UdpSender(*receiver.address)
    yield found
    found.close()


def test_it_receives_what_was_sent_and_when_and_by_whom(receiver: UdpReceiver, sender: UdpSender) -> None:
    before = time.time_ns()
    datagrams = [b"a", b"bcd", b"", b"e" * 9000]
    assert sender.send(*packed(*datagrams)) == 4
    after = time.time_ns()
    batch = receiver.receive(1)
    starts = batch.offset.tolist()
    assert [batch.buffer[at : at + n].tobytes() for at, n in zip(starts, batch.length, strict=True)] == datagrams
    assert all(before <= t <= after for t in batch.time_ns)
    assert sorted(batch.time_ns) == batch.time_ns.tolist()
    host, port = sender.socket.getsockname()[:2]
    peer = np.zeros(1, [("peer_hi", "i8"), ("peer_lo", "i8")])
    peer["peer_hi"], peer["peer_lo"] = batch.peer_hi[0], batch.peer_lo[0]
    assert address(peer[0], "peer") == host
    assert set(batch.peer_port) == {port}
    assert min(starts) >= HEADROOM


def test_it_hands_out_what_is_there_without_waiting_for_more(receiver: UdpReceiver, sender: UdpSender) -> None:
    sender.send(*packed(*[bytes([number]) for number in range(20)]))
    found = [receiver.receive(0) for _ in range(4)]
    assert [batch.packets for batch in found] == [8, 8, 4, 0]
    assert (receiver.received, sender.sent) == (20, 20)


def test_it_waits_no_longer_than_asked(receiver: UdpReceiver) -> None:
    start = time.monotonic()
    assert receiver.receive(0.05).packets == 0
    assert 0.04 < time.monotonic() - start < 5


def test_it_sends_heads_before_bodies(receiver: UdpReceiver, sender: UdpSender) -> None:
    buffer, _, _ = packed(b"body")
    heads = np.frombuffer(bytearray(b"h0h1h2"), np.uint8).reshape(3, 2)
    sender.send(buffer, np.zeros(3, np.int64), np.full(3, 4), heads)
    batch = receiver.receive(1)
    found = [batch.buffer[at : at + n].tobytes() for at, n in zip(batch.offset, batch.length, strict=True)]
    assert found == [b"h0body", b"h1body", b"h2body"]


def test_it_counts_what_the_kernel_dropped(receiver: UdpReceiver, sender: UdpSender) -> None:
    receiver.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sender.send(*packed(*[bytes(1000)] * 100))
    while receiver.receive(0).packets:
        pass
    sender.send(*packed(b"one more, which carries the count"))
    assert receiver.receive(1).packets == 1
    assert receiver.dropped > 0
    assert receiver.received + receiver.dropped == 101


def test_it_goes_on_when_nobody_listens(sender: UdpSender, receiver: UdpReceiver) -> None:
    receiver.close()
    for _ in range(3):
        sender.send(*packed(b"a", b"b"))
    assert sender.refused > 0
    assert sender.sent == 6


def test_it_sends_more_than_one_call_takes(receiver: UdpReceiver, sender: UdpSender) -> None:
    assert sender.send(*packed(*[b"x"] * 2500)) == 2500


def test_it_says_which_port_is_taken(receiver: UdpReceiver) -> None:
    with pytest.raises(OSError, match="in use"):
        UdpReceiver(*receiver.address)
