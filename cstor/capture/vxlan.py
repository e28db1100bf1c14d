"""A UDP socket for mirror traffic in VXLAN (RFC 7348) or GENEVE (RFC 8926), told apart by their first bytes.

Frames are stored as they came, behind a synthesised Ethernet/IP/UDP head with the peer's address. The time is the
kernel's receive time, or that of a broker of ours where it sent it along in its GENEVE option.
"""

from __future__ import annotations

from cstor.capture.source import SOURCES, Source
from cstor.config import ConfigError, split_address
from wire.packets.batch import PacketBatch
from wire.packets.tunnel import apply_peer_times, synthesize_heads
from wire.packets.udp import UdpReceiver


class VxlanSource(Source):
    """`listen` is HOST:PORT; with `peer_times` off, the broker's times are ignored."""

    def __init__(self, listen: str = "127.0.0.1:4789", name: str = "", peer_times: bool = True) -> None:
        self.host, self.port = split_address(listen)
        self.name = name or f"vxlan-{listen}"
        self.peer_times = peer_times
        self.peer_timed = 0  # packets whose time came from a broker
        self._receiver: UdpReceiver | None = None

    @property
    def receiver(self) -> UdpReceiver:
        assert self._receiver is not None, "open() first"
        return self._receiver

    def open(self) -> None:
        try:
            self._receiver = UdpReceiver(self.host, self.port)
        except OSError as error:
            raise ConfigError(
                f"UDP {self.host}:{self.port}: {error.strerror}; "
                "is another node or broker running there? change listen of the [[source]]"
            ) from None
        self.host, self.port = self._receiver.address

    def read(self, timeout_s: float) -> PacketBatch | None:
        datagrams = self.receiver.receive(timeout_s)
        if not datagrams.packets:
            return None
        if self.peer_times:
            columns = (datagrams.buffer, datagrams.offset, datagrams.length, datagrams.time_ns)
            self.peer_timed += int(apply_peer_times(*columns))
        return self.noted(synthesize_heads(datagrams, self.host, self.port))

    def close(self) -> None:
        if self._receiver:
            self._receiver.close()

    def drops(self) -> dict[str, int]:
        """By the kernel (the socket's buffer was full), and cut because longer than a datagram can be."""
        if not self._receiver:
            return {}
        return {"kernel": self.receiver.dropped, "cut_datagram": self.receiver.truncated}


SOURCES.add("vxlan", VxlanSource)
