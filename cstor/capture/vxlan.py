"""A UDP socket for mirror traffic in VXLAN (RFC 7348) or GENEVE (RFC 8926), told apart by their first bytes.

Frames are stored as they came, behind a synthesised Ethernet/IP/UDP head with the peer's address. The time is the
kernel's receive time, or that of a broker of ours where it sent it along in its GENEVE option. Needs no privileges.
"""

from __future__ import annotations

import socket

from cstor.capture.source import SOURCES, Reader, Source
from cstor.config import ConfigError, parse_size, split_address
from wire.packets.batch import PacketBatch
from wire.packets.decapsulate import GENEVE_PORT, VXLAN_PORT
from wire.packets.tunnel import apply_peer_times, synthesize_heads
from wire.packets.udp import LARGEST_DATAGRAM, UdpReceiver

BATCH = 1024  # the most that one recvmmsg takes
MOST_ROOM = 10**9
# What a datagram is stored as that looks like neither; "auto" goes by the port that is listened on.
TUNNELS = {"auto": None, "vxlan": VXLAN_PORT, "geneve": GENEVE_PORT}


class UdpReader(Reader):
    """Datagrams of one socket, as frames."""

    def __init__(self, receiver: UdpReceiver, port: int | None, peer_times: bool) -> None:
        super().__init__()
        self.receiver = receiver
        self.host, own_port = receiver.address
        self.port = own_port if port is None else port
        self.peer_times = peer_times
        self.peer_timed = 0  # packets whose time came from a broker

    def read(self, timeout_s: float) -> PacketBatch | None:
        datagrams = self.receiver.receive(timeout_s)
        if not datagrams.packets:
            return None
        if self.peer_times:
            columns = (datagrams.buffer, datagrams.offset, datagrams.length, datagrams.time_ns)
            replaced = int(apply_peer_times(*columns))
            self.peer_timed += replaced
            self.kernel_times = not replaced
        return self.noted(synthesize_heads(datagrams, self.host, self.port))

    def drops(self) -> dict[str, int]:
        """By the kernel, because the socket's queue was full."""
        self.receiver.look()
        return {"kernel": self.receiver.dropped}

    def fill(self) -> float:
        return round(self.receiver.look(), 4)


class VxlanSource(Source):
    """`listen` is HOST:PORT; with `peer_times` off, the broker's times are ignored."""

    def __init__(
        self,
        listen: str = "127.0.0.1:4789",
        name: str = "",
        peer_times: bool = True,
        tunnel: str = "auto",
        receive_buffer: int | str = "32 MiB",
        snaplen: int = LARGEST_DATAGRAM,
    ) -> None:
        super().__init__()
        self.host, self.port = split_address(listen)
        self.name = name or f"vxlan-{listen}"
        self.peer_times = peer_times
        if tunnel not in TUNNELS:
            raise ConfigError(f"[[source]] {self.name}: tunnel is one of {', '.join(TUNNELS)}, not {tunnel!r}")
        self._tunnel = TUNNELS[tunnel]
        self._wanted = parse_size(receive_buffer, "receive_buffer")
        if not 1 <= self._wanted <= MOST_ROOM:
            raise ConfigError(f"[[source]] {self.name}: receive_buffer is at most 1 GB, not {receive_buffer!r}")
        if not isinstance(snaplen, int) or not 64 <= snaplen <= LARGEST_DATAGRAM:
            raise ConfigError(f"[[source]] {self.name}: snaplen is 64 to {LARGEST_DATAGRAM} bytes, not {snaplen!r}")
        self._snaplen = snaplen
        self._reader: UdpReader | None = None

    @property
    def receiver(self) -> UdpReceiver:
        assert self._reader is not None, "open() first"
        return self._reader.receiver

    @property
    def peer_timed(self) -> int:
        """Packets whose time came from a broker."""
        return self._reader.peer_timed if self._reader else 0

    def warm_up(self) -> None:
        """By a datagram to a socket of our own."""
        super().warm_up()
        receiver = UdpReceiver("127.0.0.1", 0, BATCH)
        try:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
                sender.sendto(bytes(64), receiver.address)
            UdpReader(receiver, None, peer_times=True).read(1.0)
        finally:
            receiver.close()

    def open(self) -> None:
        try:
            receiver = UdpReceiver(self.host, self.port, BATCH, largest=self._snaplen, wanted=self._wanted)
        except OSError as error:
            raise ConfigError(
                f"UDP {self.host}:{self.port}: {error.strerror}; "
                "is another node or broker running there? change listen of the [[source]]"
            ) from None
        self.host, self.port = receiver.address
        self._reader = UdpReader(receiver, self._tunnel, self.peer_times)
        self.readers = (self._reader,)
        if receiver.room < self._wanted:
            self.warnings.append(
                f"{self.name}: asked for {self._wanted >> 10:,} KiB of receive buffer, the kernel gave "
                f"{receiver.room >> 10:,}; bursts may be dropped: sysctl -w net.core.rmem_max={self._wanted}"
            )

    def close(self) -> None:
        if self._reader:
            self._reader.drops()  # the last look before the socket is gone
            self._reader.receiver.close()


SOURCES.add("vxlan", VxlanSource)
