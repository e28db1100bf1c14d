"""What the outputs that send frames through a UDP tunnel share: the socket, the counters, errors that go by."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cvu.address import host_and_port
from cvu.mirrored import Mirrored
from wire.packets.udp import UdpSender

if TYPE_CHECKING:
    from cvu.config import OutputConfig


class Tunnelled:
    """Sends each frame behind a head of its own; the kinds say which head."""

    def __init__(self, config: OutputConfig) -> None:
        self._target = host_and_port(config.to, f"[[output]] {config.name}: to")
        self._sender: UdpSender | None = None
        self._failed = 0
        self.sent_packets = 0
        self.sent_bytes = 0

    @classmethod
    def check(cls, config: OutputConfig) -> None:
        host_and_port(config.to, f"[[output]] {config.name}: to")

    @property
    def errors(self) -> int:
        """Datagrams that could not be sent, and answers that nobody listens there."""
        return self._failed + (self._sender.refused if self._sender else 0)

    def heads(self, vni: np.ndarray, time_ns: np.ndarray) -> np.ndarray:
        """One row of bytes per frame."""
        raise NotImplementedError

    def warm_up(self, mirrored: Mirrored) -> None:
        self.heads(mirrored.vni, mirrored.frames.time_ns)

    def start(self) -> None:
        self._sender = UdpSender(*self._target)

    def send(self, mirrored: Mirrored, chosen: np.ndarray) -> None:
        assert self._sender is not None
        frames = mirrored.frames
        offset, length = frames.offset[chosen], frames.captured[chosen]
        heads = self.heads(mirrored.vni[chosen], frames.time_ns[chosen])
        done = 0
        while done < len(chosen):
            before = self._sender.sent
            try:
                self._sender.send(frames.buffer, offset[done:], length[done:], heads[done:])
                failed = 0
            except OSError:
                failed = 1
            left = self._sender.sent - before
            self.sent_packets += left
            self.sent_bytes += int(length[done : done + left].sum())
            self._failed += failed
            done += left + failed

    def stop(self) -> None:
        if self._sender is not None:
            self._sender.close()
