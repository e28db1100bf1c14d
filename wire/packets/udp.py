"""UDP sockets that receive and send many datagrams per system call: recvmmsg(2), sendmmsg(2).

Receive times are the kernel's (SO_TIMESTAMPNS, socket(7)), so a busy reader measures no delay of its own; datagrams
that the kernel dropped for want of room are counted (SO_RXQ_OVFL). No Python object is made per packet. Linux only.
"""

from __future__ import annotations

import ctypes
import errno
import os
import select
import socket
import time
from typing import NamedTuple

import numpy as np

from wire.packets.bigendian import i64, le16, le32, u16, u32
from wire.packets.ip import MAPPED_IPV4
from wire.packets.jit import inline, kernel

SO_RXQ_OVFL, SO_TIMESTAMPNS, SO_RCVBUFFORCE, SO_SNDBUFFORCE, SO_MEMINFO = 40, 35, 33, 32, 55
MEMINFO_WORDS, MEMINFO_USED, MEMINFO_ROOM, MEMINFO_DROPS = 9, 0, 1, 8  # sock_diag's SK_MEMINFO_*
RECEIVE_BUFFER = 32 << 20
LARGEST_DATAGRAM = 65_536
HEADROOM = 64  # before each datagram: tunnel.synthesize_heads writes a head there, so that storing copies nothing
SLOT_ODD = 1088  # no slot is a power of two long, or all datagrams would compete for the same cache lines
NAME_BYTES, CONTROL_BYTES = 32, 64
MOST_PER_CALL = 1024  # UIO_MAXIOV
TRUNCATED = 0x20  # MSG_TRUNC in msg_flags

MESSAGE = np.dtype(
    {
        "names": ["name", "name_length", "iov", "iov_count", "control", "control_length", "flags", "length"],
        "formats": ["u8", "u4", "u8", "u8", "u8", "u8", "i4", "u4"],
        "offsets": [0, 8, 16, 24, 32, 40, 48, 56],
        "itemsize": 64,
    }
)  # struct mmsghdr of 64-bit Linux
VECTOR = np.dtype([("base", "u8"), ("length", "u8")])

_libc = ctypes.CDLL(None, use_errno=True)


class UdpBatch(NamedTuple):
    """Datagrams as they arrived; the arrays are used again by the next receive."""

    buffer: np.ndarray  # u1; HEADROOM bytes before each datagram are free
    offset: np.ndarray  # i8
    length: np.ndarray  # i4, bytes that are here
    wire_length: np.ndarray  # i4, bytes that came: more where the slot was too small
    time_ns: np.ndarray  # i8, the kernel's receive time
    peer_hi: np.ndarray  # i8, sender's address as in layout.PACKET
    peer_lo: np.ndarray
    peer_port: np.ndarray  # i4

    @property
    def packets(self) -> int:
        """Number of datagrams."""
        return len(self.offset)


class UdpReceiver:
    """A bound socket. Counters: `received`, `truncated` (longer than a slot), `dropped` (by the kernel, full).

    `largest` bytes of a datagram are kept. `room` is what the kernel gave of `wanted` bytes for its queue.
    """

    def __init__(
        self,
        host: str,
        port: int,
        batch: int = 256,
        reuse_port: bool = False,
        largest: int = LARGEST_DATAGRAM,
        wanted: int = RECEIVE_BUFFER,
    ) -> None:
        family, _, _, _, address = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_DGRAM, flags=socket.AI_PASSIVE
        )[0]
        self.socket = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            self.socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
            self.socket.setsockopt(socket.SOL_SOCKET, SO_RXQ_OVFL, 1)
            if reuse_port:
                self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            _enlarge(self.socket, SO_RCVBUFFORCE, socket.SO_RCVBUF, wanted)
            self.room = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) // 2  # the kernel doubles it
            self.socket.bind(address)
        except OSError:
            self.socket.close()
            raise
        self.received = self.truncated = self.dropped = 0
        self.wakeup = select.poll()
        self.wakeup.register(self.socket, select.POLLIN)
        self._allocate(min(batch, MOST_PER_CALL), min(max(largest, 1), LARGEST_DATAGRAM))

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens; the port is the system's choice if 0 was asked for."""
        host, port = self.socket.getsockname()[:2]
        return host, port

    def fileno(self) -> int:
        """For select and poll."""
        return self.socket.fileno()

    def close(self) -> None:
        """Give up the socket."""
        self.socket.close()

    def look(self) -> float:
        """Ask the kernel about its queue: brings `dropped` up to date, answers the share that is full, 0..1."""
        try:
            found = self.socket.getsockopt(socket.SOL_SOCKET, SO_MEMINFO, 4 * MEMINFO_WORDS)
        except OSError:  # closed meanwhile
            return 0.0
        words = np.frombuffer(found, np.uint32)
        if len(words) == MEMINFO_WORDS:
            self.dropped = max(self.dropped, int(words[MEMINFO_DROPS]))
        return min(1.0, int(words[MEMINFO_USED]) / max(1, int(words[MEMINFO_ROOM])))

    def _allocate(self, batch: int, largest: int) -> None:
        slot = HEADROOM + (largest + 63 & ~63) + SLOT_ODD
        self.buffer = np.zeros(batch * slot, np.uint8)
        self.names = np.zeros(batch * NAME_BYTES, np.uint8)
        self.controls = np.zeros(batch * CONTROL_BYTES, np.uint8)
        self.vectors = np.zeros(batch, VECTOR)
        self.messages = np.zeros(batch, MESSAGE)
        slots = np.arange(batch, dtype=np.uint64)
        self.offset = slots.astype(np.int64) * slot + HEADROOM
        self.vectors["base"] = self.buffer.ctypes.data + self.offset.astype(np.uint64)
        self.vectors["length"] = largest
        self.messages["name"] = self.names.ctypes.data + slots * np.uint64(NAME_BYTES)
        self.messages["iov"] = self.vectors.ctypes.data + slots * np.uint64(VECTOR.itemsize)
        self.messages["iov_count"] = 1
        self.messages["control"] = self.controls.ctypes.data + slots * np.uint64(CONTROL_BYTES)
        kinds = (np.int32, np.int32, np.int64, np.int64, np.int64, np.int32)
        self.columns = [np.zeros(batch, dtype) for dtype in kinds]

    def receive(self, timeout_s: float) -> UdpBatch:
        """What is there, waiting at most `timeout_s` for the first datagram; the batch may be empty."""
        count = self._receive_now()
        if count == 0 and timeout_s > 0 and self.wakeup.poll(timeout_s * 1000):
            count = self._receive_now()
        length, wire_length, time_ns, peer_hi, peer_lo, peer_port = (column[:count] for column in self.columns)
        if count:
            columns = (length, wire_length, time_ns, peer_hi, peer_lo, peer_port)
            largest = int(self.vectors["length"][0])
            dropped = parse_messages(
                self.messages[:count], self.names, self.controls, time.time_ns(), largest, *columns
            )
            self.dropped = max(self.dropped, dropped)
            self.truncated += int(np.count_nonzero(self.messages["flags"][:count] & TRUNCATED))
            self.received += count
        return UdpBatch(self.buffer, self.offset[:count], length, wire_length, time_ns, peer_hi, peer_lo, peer_port)

    def _receive_now(self) -> int:
        messages = self.messages
        messages["name_length"] = NAME_BYTES
        messages["control_length"] = CONTROL_BYTES
        messages["flags"] = 0
        data = ctypes.c_void_p(messages.ctypes.data)
        # With MSG_TRUNC the kernel tells the whole length of a datagram of which only a part was taken.
        flags = socket.MSG_DONTWAIT | socket.MSG_TRUNC
        count = _libc.recvmmsg(self.socket.fileno(), data, len(messages), flags, None)
        if count >= 0:
            return count
        number = ctypes.get_errno()
        if number in (errno.EAGAIN, errno.EINTR, errno.ECONNREFUSED):
            return 0
        raise OSError(number, os.strerror(number))


class UdpSender:
    """A socket with one target. Counters: `sent`, `refused` (nobody listens there)."""

    def __init__(self, host: str, port: int, source: tuple[str, int] | None = None) -> None:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
        self.socket = socket.socket(family, socket.SOCK_DGRAM)
        try:
            _enlarge(self.socket, SO_SNDBUFFORCE, socket.SO_SNDBUF, RECEIVE_BUFFER)
            if source:
                self.socket.bind(source)
            self.socket.connect(address)
        except OSError:
            self.socket.close()
            raise
        self.sent = self.refused = 0
        self.vectors = np.zeros((MOST_PER_CALL, 2), VECTOR)
        self.messages = np.zeros(MOST_PER_CALL, MESSAGE)
        stride = np.uint64(2 * VECTOR.itemsize)
        self.messages["iov"] = self.vectors.ctypes.data + np.arange(MOST_PER_CALL, dtype=np.uint64) * stride

    def close(self) -> None:
        """Give up the socket."""
        self.socket.close()

    def send(self, buffer: np.ndarray, offset: np.ndarray, length: np.ndarray, heads: np.ndarray | None = None) -> int:
        """Send datagrams out of a buffer, each behind its row of `heads` (u1, 2-D) if given; answers how many left."""
        before = self.sent
        for start in range(0, len(offset), MOST_PER_CALL):
            stop = min(start + MOST_PER_CALL, len(offset))
            bodies = self.vectors[: stop - start, 1]
            bodies["base"] = buffer.ctypes.data + offset[start:stop].astype(np.uint64)
            bodies["length"] = length[start:stop]
            fronts = self.vectors[: stop - start, 0]
            fronts["length"] = 0 if heads is None else heads.shape[1]
            if heads is not None:
                rows = np.arange(start, stop, dtype=np.uint64) * np.uint64(heads.strides[0])
                fronts["base"] = heads.ctypes.data + rows
            self.messages["iov_count"] = 2
            self._send_all(stop - start)
        return self.sent - before

    def _send_all(self, count: int) -> None:
        done = 0
        while done < count:
            data = ctypes.c_void_p(self.messages[done:].ctypes.data)
            left = _libc.sendmmsg(self.socket.fileno(), data, count - done, 0)
            if left > 0:
                self.sent += left
                done += left
                continue
            number = ctypes.get_errno()
            if number == errno.ECONNREFUSED:
                self.refused += 1  # of an earlier datagram; this one has not been tried yet
            elif number in (errno.EAGAIN, errno.ENOBUFS, errno.EINTR):
                select.select([], [self.socket], [], 0.1)
            else:
                raise OSError(number, os.strerror(number))


def _enlarge(sock: socket.socket, forced: int, asked: int, wanted: int) -> None:
    """The system's limit holds for everyone but root."""
    try:
        sock.setsockopt(socket.SOL_SOCKET, forced, wanted)
    except PermissionError:
        sock.setsockopt(socket.SOL_SOCKET, asked, wanted)


@kernel
def parse_messages(
    messages, names, controls, now_ns, largest, length, wire_length, time_ns, peer_hi, peer_lo, peer_port
):
    """Fill columns from what the kernel wrote; answers the socket's count of dropped datagrams, or 0."""
    dropped = 0
    for index in range(len(messages)):
        wire_length[index] = messages[index]["length"]
        length[index] = min(wire_length[index], largest)
        time_ns[index] = now_ns
        at = index * CONTROL_BYTES
        end = at + np.int64(messages[index]["control_length"])
        while end - at >= 16:
            size = le32(controls, at)
            if size < 16 or size > end - at:
                break
            kind = le32(controls, at + 8) << 32 | le32(controls, at + 12)
            if kind == (1 << 32 | SO_TIMESTAMPNS) and size >= 32:
                seconds = le32(controls, at + 16) | le32(controls, at + 20) << 32
                time_ns[index] = seconds * 1_000_000_000 + le32(controls, at + 24)
            elif kind == (1 << 32 | SO_RXQ_OVFL) and size >= 20:
                dropped = max(dropped, le32(controls, at + 16))
            at += (size + 7) & ~7
        peer(names, index * NAME_BYTES, index, peer_hi, peer_lo, peer_port)
    return dropped


@inline
def peer(names, at, index, peer_hi, peer_lo, peer_port):
    """sockaddr_in or sockaddr_in6: the family in the machine's order, port and address in network order."""
    peer_port[index] = u16(names, at + 2)
    if le16(names, at) == 2:
        peer_hi[index] = 0
        peer_lo[index] = MAPPED_IPV4 | u32(names, at + 4)
    else:
        peer_hi[index] = i64(names, at + 8)
        peer_lo[index] = i64(names, at + 16)
