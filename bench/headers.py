"""Packets of very many TCP connections at once, headers only, made as fast as they are analysed.

All connections are opened by a handshake first; then they take turns in an order that no cache can guess, each with
the next packet of its exchange: a request, two segments of a response that acknowledge it, an acknowledgement. The mix
of packets and their times are the same for any number of connections; ten of them make a conversation.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from wire.packets.batch import MAX_PACKETS, PacketBatch
from wire.packets.bigendian import put16, put32
from wire.packets.jit import inline, kernel
from wire.packets.layout import ACK, LINK_ETHERNET, PSH, SYN

CAPTURED = 66  # Ethernet 14, IPv4 20, TCP 20, timestamps 12
INTERVAL_NS = 333  # three million packets per second
START_NS = 1_700_000_000 * 1_000_000_000
REQUEST, SEGMENT = 300, 1448
PER_CONVERSATION = 10
FIRST_STEP = 3  # the handshake's are 0, 1, 2; then 3 to 6 again and again
STEPS = 7


class Connections:
    """`count` connections and a batch whose memory is used again for each answer."""

    def __init__(self, count: int) -> None:
        self.count = count
        self._order = np.random.default_rng(1).permutation(count).astype(np.int64)
        self._next = np.zeros((count, 2), np.int64)  # sequence numbers of both sides
        self._step = np.zeros(count, np.int64)
        self._sent = 0
        self._batch = PacketBatch(
            np.zeros(MAX_PACKETS * CAPTURED, np.uint8),
            np.arange(MAX_PACKETS, dtype=np.int64) * CAPTURED,
            np.full(MAX_PACKETS, CAPTURED, np.int32),
            np.zeros(MAX_PACKETS, np.int32),
            np.zeros(MAX_PACKETS, np.int64),
            LINK_ETHERNET,
        )
        for column in (self._next, self._step):
            column.fill(0)  # truly in memory, before anything is weighed

    def opened(self) -> Iterator[PacketBatch]:
        """The handshakes, one connection after the other in each of the three steps."""
        return self._batches(3 * self.count, np.arange(self.count, dtype=np.int64))

    def steady(self, packets: int) -> Iterator[PacketBatch]:
        """So many packets of connections that are open."""
        return self._batches(packets, self._order)

    def _batches(self, packets: int, order: np.ndarray) -> Iterator[PacketBatch]:
        for start in range(0, packets, MAX_PACKETS):
            part = self._batch.part(0, min(MAX_PACKETS, packets - start))
            fill_headers(
                part.buffer,
                part.offset,
                part.wire_length,
                part.time_ns,
                order,
                self._next,
                self._step,
                start,
                self._sent,
            )
            self._sent += part.packets
            yield part


@kernel
def fill_headers(buffer, offset, wire_length, time_ns, order, next_seq, steps, start, sent):
    """Packets `start` and following of a round over `order`; `sent` went before them in all."""
    for index in range(len(offset)):
        flow = order[(start + index) % len(order)]
        step = steps[flow]
        from_server = 1 if step == 1 or step == 4 or step == 5 else 0
        length = REQUEST if step == 3 else SEGMENT if step == 4 or step == 5 else 0
        flags = SYN if step == 0 else SYN | ACK if step == 1 else ACK | PSH if length > 0 else ACK
        time = START_NS + (sent + index) * INTERVAL_NS
        acknowledged = 0 if step == 0 else next_seq[flow, 1 - from_server]
        seq = next_seq[flow, from_server]
        put_frame(buffer, offset[index], flow, from_server, length, flags, seq, acknowledged, time // 1_000_000)
        next_seq[flow, from_server] = (seq + length + (1 if step < 2 else 0)) & 0xFFFFFFFF
        steps[flow] = step + 1 if step + 1 < STEPS else FIRST_STEP
        if step == FIRST_STEP - 1:
            steps[flow] = FIRST_STEP + flow % 3  # not all in step, and none begins with an ACK that says nothing new
        wire_length[index] = CAPTURED + length
        time_ns[index] = time


@inline
def put_frame(buffer, at, flow, from_server, length, flags, seq, acknowledged, time_ms):
    """Ethernet, IPv4, TCP with timestamps; no checksums, which a mirror often lacks too."""
    pair = flow // PER_CONVERSATION
    client, client_port = 0x0A000000 + pair, 20000 + flow % PER_CONVERSATION
    server, server_port = 0x0B000000 + pair % 1000, 443
    put16(buffer, at + 12, 0x0800)
    put32(buffer, at + 14, 0x45000000 | (CAPTURED - 14 + length))
    put32(buffer, at + 18, 0x00004000)
    put32(buffer, at + 22, 0x40060000)
    put32(buffer, at + 26, server if from_server else client)
    put32(buffer, at + 30, client if from_server else server)
    put16(buffer, at + 34, server_port if from_server else client_port)
    put16(buffer, at + 36, client_port if from_server else server_port)
    put32(buffer, at + 38, seq)
    put32(buffer, at + 42, acknowledged)
    put32(buffer, at + 46, 0x80000000 | flags << 16 | 0xFFFF)
    put32(buffer, at + 50, 0)
    put32(buffer, at + 54, 0x0101080A)
    put32(buffer, at + 58, time_ms & 0xFFFFFFFF)
    put32(buffer, at + 62, (time_ms - 1) & 0xFFFFFFFF if flags != SYN else 0)
