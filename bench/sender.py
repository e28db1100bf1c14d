"""A fast sender for the live benchmark: frames of a trace out of an interface, or as VXLAN to an address.

`python -m bench.sender TRACE (--interface NAME | --to HOST:PORT)` reads lines "RATE SECONDS" and answers each with
"SENT SECONDS". A packet socket without queueing discipline, many frames per system call, on one core; each round of the
trace gets addresses of its own, so that its connections are new ones and no retransmissions.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import socket
import sys
import time
from pathlib import Path

import numpy as np

from cstor.config import split_address
from wire.packets.pcap import open_capture
from wire.packets.tunnel import vxlan_heads
from wire.packets.udp import MESSAGE, MOST_PER_CALL, VECTOR, UdpSender

SOL_PACKET, QDISC_BYPASS = 263, 20
SEND_BUFFER_FORCE = 32
BURST = 64
LARGEST = 8900
ADDRESS_BYTES = (27, 31)  # the second of each IPv4 address behind an Ethernet header

_libc = ctypes.CDLL(None, use_errno=True)


class Frames:
    """The trace in memory."""

    def __init__(self, path: Path) -> None:
        pieces, offsets, lengths, at = [], [], [], 0
        for batch in open_capture(path):
            fits = batch.captured <= LARGEST
            pieces.append(batch.buffer[: int(batch.offset[-1] + batch.captured[-1])].copy())
            offsets.append(batch.offset[fits] + at)
            lengths.append(batch.captured[fits])
            at += len(pieces[-1])
        self.buffer = np.concatenate(pieces)
        self.offset, self.length = np.concatenate(offsets), np.concatenate(lengths)
        kind = self.buffer[self.offset + 12].astype(int) << 8 | self.buffer[self.offset + 13]
        self._changing = self.offset[kind == 0x0800]

    def next_round(self) -> None:
        """Other addresses: every connection of the trace comes anew."""
        for byte in ADDRESS_BYTES:
            self.buffer[self._changing + byte] += 1


class PacketSender:
    """Frames out of an interface."""

    def __init__(self, interface: str, frames: Frames) -> None:
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        self._socket.setsockopt(SOL_PACKET, QDISC_BYPASS, 1)
        self._socket.setsockopt(socket.SOL_SOCKET, SEND_BUFFER_FORCE, 64 << 20)
        self._socket.bind((interface, 0))
        count = len(frames.offset)
        self._vectors, self._messages = np.zeros(count, VECTOR), np.zeros(count, MESSAGE)
        self._vectors["base"] = frames.buffer.ctypes.data + frames.offset.astype(np.uint64)
        self._vectors["length"] = frames.length
        self._messages["iov"] = self._vectors.ctypes.data + np.arange(count, dtype=np.uint64) * np.uint64(
            VECTOR.itemsize
        )
        self._messages["iov_count"] = 1

    def send(self, start: int, stop: int) -> int:
        data = self._messages.ctypes.data + start * MESSAGE.itemsize
        sent = _libc.sendmmsg(self._socket.fileno(), ctypes.c_void_p(data), stop - start, 0)
        return max(sent, 0)


class MirrorSender:
    """Frames in VXLAN."""

    def __init__(self, address: str, frames: Frames) -> None:
        self._frames = frames
        self._sender = UdpSender(*split_address(address))
        self._heads = vxlan_heads(np.full(MOST_PER_CALL, 42, np.int32))

    def send(self, start: int, stop: int) -> int:
        frames = self._frames
        return self._sender.send(
            frames.buffer, frames.offset[start:stop], frames.length[start:stop], self._heads[: stop - start]
        )


def paced(sender: PacketSender | MirrorSender, frames: Frames, rate: float, seconds: float) -> tuple[int, float]:
    """Send at a rate, or as fast as it goes; how many left, and how long it took."""
    sent, at, count = 0, 0, len(frames.offset)
    wanted = int(rate * seconds)
    began = time.perf_counter()
    while sent < wanted:
        elapsed = time.perf_counter() - began
        if elapsed > seconds + 0.5:
            break
        due = min(wanted, int(rate * elapsed) + 1) - sent
        if due < BURST and sent + due < wanted:
            time.sleep(BURST / rate / 2)
            continue
        done = sender.send(at, min(at + min(due, 4 * BURST), count))
        sent, at = sent + done, at + done
        if at >= count:
            at = 0
            frames.next_round()
    return sent, time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("trace", type=Path)
    parser.add_argument("--interface")
    parser.add_argument("--to")
    options = parser.parse_args()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    frames = Frames(options.trace)
    sender = PacketSender(options.interface, frames) if options.interface else MirrorSender(options.to, frames)
    print("ready", flush=True)
    for line in sys.stdin:
        rate, seconds = map(float, line.split())
        sent, took = paced(sender, frames, rate, seconds)
        print(sent, took, flush=True)


if __name__ == "__main__":
    main()
