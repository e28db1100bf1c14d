"""An interface as a source: packet sockets with rings, one per capture thread, which share the packets by flow.

Both directions of a flow come to one thread, also inside VXLAN and GENEVE (wire.packets.fanout). What the kernel could
not put into a ring is counted as `ring`, what the interface itself lost as `interface`.
"""

from __future__ import annotations

import errno
import os
import re
import socket
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np

from cstor.capture.source import SOURCES, Reader, Source
from cstor.config import ConfigError, parse_size
from wire.filters.bpf import compile_text
from wire.filters.error import FilterRefused
from wire.packets.batch import PacketBatch
from wire.packets.fanout import fanout_program
from wire.packets.layout import MAX_CAPTURED
from wire.packets.packetring import BLOCK_BYTES, RETIRE_MS, PacketRing, header_bytes, is_up
from wire.packets.packetring import warm_up as warm_up_ring

MOST_THREADS = 64
REOPEN_S = 2.0  # between attempts to open an interface that had gone away
RETURN_CODE = 0x06
COUNTERS = Path("/proc/thread-self/net/dev")
LOST_COLUMN = 3  # of an interface's counters: packets that came and were lost before any socket


class RingReader(Reader):
    """One ring; opened anew after its interface has been away, with the counters going on."""

    # A block that is not full is handed over by a timer, which may come a second time before it notices.
    delay_ns = 3 * RETIRE_MS * 1_000_000

    def __init__(self) -> None:
        super().__init__()
        self.ring: PacketRing | None = None
        self._dropped = self._freezes = 0  # of rings that are closed

    def read(self, timeout_s: float) -> PacketBatch | None:
        return self.noted(self.ring.read(timeout_s)) if self.ring else None

    def drops(self) -> dict[str, int]:
        """Packets that found the ring full."""
        self._count()
        return {"ring": self._dropped + (self.ring.dropped if self.ring else 0)}

    @property
    def freezes(self) -> int:
        """How often the ring was full to the last block."""
        return self._freezes + (self.ring.freezes if self.ring else 0)

    def fill(self) -> float:
        return round(self.ring.fill(), 4) if self.ring else 0.0

    def close(self) -> None:
        ring, self.ring = self.ring, None
        if ring:
            ring.close()
            self._dropped += ring.dropped
            self._freezes += ring.freezes

    def _count(self) -> None:
        ring = self.ring
        if ring:
            ring.count()


class AfpacketSource(Source):
    """`interface`, `threads`, `ring` bytes per thread, `snaplen`, `promiscuous`, `outgoing` (also what this machine
    sends there), `filter` in pcap-filter syntax."""

    def __init__(
        self,
        interface: str,
        threads: int = 1,
        ring: int | str = "64 MiB",
        snaplen: int = MAX_CAPTURED,
        promiscuous: bool = True,
        outgoing: bool = False,
        filter: str = "",
        name: str = "",
    ) -> None:
        super().__init__()
        self.interface = interface
        self.name = name or f"afpacket-{interface}"
        self._ring_bytes = self._sizes(threads, ring, snaplen)
        self._snaplen = snaplen
        self._promiscuous, self._outgoing = promiscuous, outgoing
        self._filter = filter
        self._ring_readers = [RingReader() for _ in range(threads)]
        self.readers = self._ring_readers
        self._lost_before = self._lost = 0
        self._tried_at = 0.0

    def warm_up(self) -> None:
        super().warm_up()
        warm_up_ring()

    def open(self) -> None:
        try:
            self._open()
        except (OSError, FilterRefused) as error:
            self._close()
            raise ConfigError(f"[[source]] {self.name}: {self._advice(error)}") from None
        except BaseException:
            self._close()
            raise
        self._lost_before = self._interface_lost()

    def close(self) -> None:
        self._note_lost()
        self._close()

    def check(self) -> None:
        """An interface that is down or gone receives nothing; one that has come back is opened anew."""
        self._note_lost()
        with suppress(OSError):
            index = socket.if_nametoindex(self.interface)
            ring = self._ring_readers[0].ring
            if ring and ring.index == index:
                self.problem = None if is_up(self.interface) else self._down()
                return
            if time.monotonic() - self._tried_at >= REOPEN_S:
                self._reopen()
            return
        self.problem = f"interface {self.interface} is gone; it is opened again when it comes back"

    def drops(self) -> dict[str, int]:
        return super().drops() | {"interface": self._lost}

    def threads(self) -> list[dict[str, object]]:
        rows = super().threads()
        for row, reader in zip(rows, self._ring_readers, strict=True):
            row["freezes"] = reader.freezes
        return rows

    def _sizes(self, threads: int, ring: int | str, snaplen: int) -> int:
        if not isinstance(threads, int) or not 1 <= threads <= MOST_THREADS:
            raise ConfigError(f"[[source]] {self.name}: threads is 1 to {MOST_THREADS}, not {threads!r}")
        if not isinstance(snaplen, int) or not 64 <= snaplen <= MAX_CAPTURED:
            raise ConfigError(f"[[source]] {self.name}: snaplen is 64 to {MAX_CAPTURED} bytes, not {snaplen!r}")
        size = parse_size(ring, "ring")
        if size < 4 * BLOCK_BYTES:
            raise ConfigError(f"[[source]] {self.name}: ring is at least 4 MiB, not {ring!r}")
        return size

    def _open(self) -> None:
        if not is_up(self.interface):
            raise ConfigError(f"[[source]] {self.name}: {self._down()}")
        group = None
        for reader in self._ring_readers:
            with reader.lock:
                ring = reader.ring = PacketRing(self.interface, self._ring_bytes)
                if ring.link_type < 0:
                    raise ConfigError(
                        f"[[source]] {self.name}: frames of {self.interface} cannot be read: its type is "
                        f"{ring.socket.getsockname()[3]} (ARPHRD_), only Ethernet, loopback and IP tunnels can"
                    )
                if not self._outgoing or self.interface == "lo":
                    ring.ignore_outgoing()  # on loopback all is sent and received: once is enough
                if len(self._ring_readers) > 1:
                    group = ring.fanout(group, fanout_program(header_bytes(ring.link_type)))
                if self._promiscuous:
                    ring.promiscuous()
        program = self._program(self._ring_readers[0].ring)
        for reader in self._ring_readers:
            assert reader.ring
            reader.ring.filter(program)  # until now nothing passed: what came before the group stood would come twice

    def _program(self, ring: PacketRing | None) -> np.ndarray:
        """Which packets the kernel copies, and how much of each."""
        assert ring
        if not self._filter:
            return np.array([[RETURN_CODE, 0, 0, self._snaplen]])
        if re.search(r"\b(vlan|vni)\b", self._filter):
            raise ConfigError(
                f"[[source]] {self.name}: vlan and vni cannot be asked for in filter: the kernel takes tags off before "
                "it filters, and knows no VNI; capture all and filter when searching"
            )
        program = compile_text(self._filter, ring.link_type).copy()
        accepts = (program[:, 0] == RETURN_CODE) & (program[:, 3] != 0)
        program[accepts, 3] = self._snaplen
        return program

    def _reopen(self) -> None:
        self._tried_at = time.monotonic()
        self._close()
        try:
            self._open()
        except (OSError, ConfigError) as error:
            self._close()
            self.problem = self._advice(error) if isinstance(error, OSError) else str(error)
            return
        self._lost_before = self._interface_lost()
        self.problem = None

    def _close(self) -> None:
        for reader in self._ring_readers:
            with reader.lock:
                reader.close()

    def _down(self) -> str:
        return f"interface {self.interface} is down; ip link set {self.interface} up"

    def _advice(self, error: OSError | FilterRefused) -> str:
        if isinstance(error, FilterRefused):
            return f"filter: {error}"
        if isinstance(error, PermissionError):
            python = os.path.realpath(sys.executable)
            return (
                f"capturing on {self.interface} needs the right CAP_NET_RAW: run as root, or once as root "
                f"setcap cap_net_raw+ep {python}"
            )
        if error.errno in (errno.ENODEV, errno.ENXIO):
            there = ", ".join(name for _, name in socket.if_nameindex())
            return f"there is no interface {self.interface}; there are {there}"
        if error.errno in (errno.ENOMEM, errno.EINVAL):
            size = self._ring_bytes >> 20
            return (
                f"{len(self._ring_readers)} ring(s) of {size} MiB cannot be had ({error.strerror}); make ring smaller"
            )
        return error.strerror or str(error)

    def _interface_lost(self) -> int:
        """By the interface's own account, since it was made."""
        with suppress(OSError, ValueError, IndexError):
            for line in COUNTERS.read_text().splitlines():
                name, _, counters = line.partition(":")
                if name.strip() == self.interface:
                    return int(counters.split()[LOST_COLUMN])
        return 0

    def _note_lost(self) -> None:
        now = self._interface_lost()
        self._lost += max(0, now - self._lost_before)
        self._lost_before = now


SOURCES.add("afpacket", AfpacketSource)
