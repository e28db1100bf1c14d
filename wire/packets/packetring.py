"""A packet socket with a ring of blocks shared with the kernel: TPACKET_V3 of packet(7), packet_mmap in Linux' docs.

The kernel fills a block with frames one behind the other and hands it over when it is full or `RETIRE_MS` old; a kernel
of ours walks the chain, and the frames are views into the ring until the block is given back. Receive times are the
kernel's, in nanoseconds. A VLAN tag that the kernel took off is put back before anyone looks at the frame. Linux only.
"""

from __future__ import annotations

import ctypes
import fcntl
import mmap
import os
import select
import socket
import struct
import threading
from contextlib import suppress

import numpy as np

from wire.packets.batch import MAX_PACKETS, PacketBatch
from wire.packets.bigendian import le16, le32, put16, u8
from wire.packets.jit import kernel, prefetch
from wire.packets.layout import LINK_ETHERNET, LINK_RAW

SOL_PACKET = 263
ADD_MEMBERSHIP, RX_RING, STATISTICS, VERSION, FANOUT = 1, 5, 6, 10, 18
FANOUT_DATA, IGNORE_OUTGOING = 22, 23
FANOUT_CBPF, FANOUT_UNIQUE_ID = 6, 0x2000 << 16 | 6 << 16
TPACKET_V3 = 2
PROMISCUOUS = 1
ALL_PROTOCOLS = 0x0003
ATTACH_FILTER = 26
GET_FLAGS, IS_UP = 0x8913, 0x1
BLOCK_BYTES = 1 << 20
FRAME_BYTES = 2048  # only the unit in which the kernel counts the ring's size
RETIRE_MS = 10
AHEAD, LINE = 4096, 64  # bytes that are asked for before they are looked at: read, copied and decoded
USER = 1  # block_status: the block is ours
VLAN_VALID, VLAN_TPID_VALID = 0x10, 0x40
LINK_OF = {1: LINK_ETHERNET, 772: LINK_ETHERNET, 65534: LINK_RAW, 768: LINK_RAW, 769: LINK_RAW, 776: LINK_RAW}
LINK_OF |= {778: LINK_RAW, 823: LINK_RAW, 519: LINK_RAW}  # ARPHRD_: Ethernet, loopback; tun, IP tunnels, 6in4, GRE

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mmap.restype = ctypes.c_void_p
_libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
_libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]


class PacketRing:
    """One bound socket with its ring. Counters: `seen` by the kernel, of them `dropped` (ring full), `freezes`."""

    def __init__(self, interface: str, ring_bytes: int, retire_ms: int = RETIRE_MS) -> None:
        self.interface = interface
        self.index = socket.if_nametoindex(interface)
        self.seen = self.dropped = self.freezes = 0
        self.blocks = max(4, ring_bytes // BLOCK_BYTES)
        self.ring_bytes = self.blocks * BLOCK_BYTES
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
        try:
            self.filter(np.array([[0x06, 0, 0, 0]]))  # nothing, until the whole group is there
            self._option(VERSION, TPACKET_V3)
            frames = self.ring_bytes // FRAME_BYTES
            request = struct.pack("7I", BLOCK_BYTES, self.blocks, FRAME_BYTES, frames, retire_ms, 0, 0)
            self.socket.setsockopt(SOL_PACKET, RX_RING, request)
            self._map = _Mapping(self.socket.fileno(), self.ring_bytes)
            self.socket.bind((interface, ALL_PROTOCOLS))
            self.link_type = LINK_OF.get(self.socket.getsockname()[3], -1)
        except BaseException:
            self.socket.close()
            raise
        self.buffer = self._map.bytes
        self._status = self.buffer.view(np.uint32).reshape(self.blocks, -1)[:, 2]
        self._columns = _new_columns(MAX_PACKETS)
        self._block = 0  # the one that is read, or that will be handed over next
        self._at = self._left = 0  # the next frame in it, and how many follow
        self._is_held = False  # handed out to its end: given back when the next batch is asked for
        self._poll = select.poll()
        self._poll.register(self.socket, select.POLLIN | select.POLLERR)
        self._counting = threading.Lock()

    def filter(self, program: np.ndarray) -> None:
        """Only what this BPF program accepts, and as much of it as it says."""
        given = _Program(program)
        self.socket.setsockopt(socket.SOL_SOCKET, ATTACH_FILTER, given.option)

    def fanout(self, group: int | None, program: np.ndarray) -> int:
        """Share the interface's packets with the sockets of a group, which the first founds; answers its number."""
        if group is None:
            self._option(FANOUT, FANOUT_UNIQUE_ID)
            group = self.socket.getsockopt(SOL_PACKET, FANOUT) & 0xFFFF
            given = _Program(program)
            self.socket.setsockopt(SOL_PACKET, FANOUT_DATA, given.option)
        else:
            self._option(FANOUT, FANOUT_CBPF << 16 | group)
        return group

    def promiscuous(self) -> None:
        """Also frames for other machines, as long as the socket lives."""
        self.socket.setsockopt(SOL_PACKET, ADD_MEMBERSHIP, struct.pack("iHH8s", self.index, PROMISCUOUS, 0, b""))

    def ignore_outgoing(self) -> None:
        """Only what the interface receives."""
        self._option(IGNORE_OUTGOING, 1)

    def read(self, timeout_s: float) -> PacketBatch | None:
        """The frames of one block, or a part of a very full one; views that are valid until the next call."""
        if self._is_held:
            self._give_back()
        if not len(self.buffer):
            return None
        if not self._left and not self._next_block(timeout_s):
            return None
        offset, captured, wire_length, time_ns = self._columns
        count, self._at = walk_block(self.buffer, self._at, self._left, offset, captured, wire_length, time_ns)
        self._left -= count
        self._is_held = self._left == 0
        return PacketBatch(self.buffer, *(column[:count] for column in self._columns), self.link_type)

    def fill(self) -> float:
        """Share of the blocks that wait to be read."""
        return float(np.count_nonzero(self._status & USER) / self.blocks)

    def count(self) -> None:
        """Bring the counters up to date: asking the kernel sets its own to zero."""
        with self._counting, suppress(OSError):
            found = self.socket.getsockopt(SOL_PACKET, STATISTICS, 12)
            seen, dropped, freezes = struct.unpack("3I", found)
            self.seen += seen
            self.dropped += dropped
            self.freezes += freezes

    def close(self) -> None:
        """Give up socket and ring: what was read before must not be looked at any more."""
        self.count()
        self.socket.close()
        self.buffer = np.zeros(0, np.uint8)
        self._status = np.zeros(1, np.uint32)
        self._left, self._is_held = 0, False
        self._map.close()

    def _next_block(self, timeout_s: float) -> bool:
        if not self._status[self._block] & USER:
            if timeout_s <= 0 or not self._poll.poll(timeout_s * 1000):
                return False
            if not self._status[self._block] & USER:
                return False
        start = self._block * BLOCK_BYTES
        head = self.buffer[start : start + 20].view(np.uint32)
        self._left, self._at = int(head[3]), start + int(head[4])
        if not self._left:  # a block may be handed over empty
            self._is_held = True
        return bool(self._left)

    def _give_back(self) -> None:
        self._status[self._block] = 0
        self._block = (self._block + 1) % self.blocks
        self._is_held = False

    def _option(self, name: int, value: int) -> None:
        self.socket.setsockopt(SOL_PACKET, name, value)


class _Mapping:
    """mmap(2). Python's own mmap keeps a second handle on the socket, which would then never leave its group."""

    def __init__(self, fd: int, size: int) -> None:
        self._size = size
        self._address = _libc.mmap(None, size, mmap.PROT_READ | mmap.PROT_WRITE, mmap.MAP_SHARED, fd, 0)
        if self._address == ctypes.c_void_p(-1).value:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        self.bytes = np.frombuffer((ctypes.c_ubyte * size).from_address(self._address), np.uint8)

    def close(self) -> None:
        if self._address:
            _libc.munmap(self._address, self._size)
            self._address = None


class _Program:
    """struct sock_fprog over rows of (code, jt, jf, k)."""

    def __init__(self, program: np.ndarray) -> None:
        self._code = b"".join(struct.pack("HBBI", *(int(field) for field in row)) for row in program)
        self._kept = ctypes.create_string_buffer(self._code, len(self._code))
        self.option = struct.pack("HxxxxxxQ", len(program), ctypes.addressof(self._kept))


def is_up(interface: str) -> bool:
    """Whether the interface is switched on; OSError where there is none of this name."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        answer = fcntl.ioctl(probe.fileno(), GET_FLAGS, struct.pack("16sH14x", interface.encode()[:15], 0))
    return bool(struct.unpack("16sH14x", answer)[1] & IS_UP)


def warm_up() -> None:
    """Load (or compile) what walks a ring, before packets wait for it."""
    nothing = np.frombuffer((ctypes.c_ubyte * 64)(), np.uint8)
    walk_block(nothing, 0, 0, *_new_columns(1))


def _new_columns(packets: int) -> list[np.ndarray]:
    """offset, captured, wire_length, time_ns"""
    return [np.zeros(packets, kind) for kind in (np.int64, np.int32, np.int32, np.int64)]


def header_bytes(link_type: int) -> int:
    """Of the link header before the network header."""
    return 14 if link_type == LINK_ETHERNET else 0


@kernel
def walk_block(buffer, at, left, offset, captured, wire_length, time_ns):
    """Fill columns with the chain of frames from `at` on; answers how many, and where the next one is."""
    count = 0
    asked = at
    while count < left and count < len(offset):
        while asked < at + AHEAD:
            prefetch(buffer, asked)
            asked += LINE
        frame = at + le16(buffer, at + 24)  # struct tpacket3_hdr: see linux/if_packet.h
        here, whole, status = le32(buffer, at + 12), le32(buffer, at + 16), le32(buffer, at + 20)
        time_ns[count] = le32(buffer, at + 4) * 1_000_000_000 + le32(buffer, at + 8)
        if status & VLAN_VALID and here >= 12:
            tag = le16(buffer, at + 36) if status & VLAN_TPID_VALID else 0x8100
            for index in range(12):
                buffer[frame - 4 + index] = u8(buffer, frame + index)
            put16(buffer, frame + 8, tag)
            put16(buffer, frame + 10, le32(buffer, at + 32))
            frame -= 4
            here += 4
            whole += 4
        offset[count] = frame
        captured[count] = here
        wire_length[count] = whole
        count += 1
        at += le32(buffer, at)
    return count, at
