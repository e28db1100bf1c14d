"""The loop: receive a batch, find the mirrored frames, decide by rules, send to outputs.

It takes whatever has arrived and never waits for a batch to fill, so a lonely packet leaves at once and a flood is
carried by fewer, larger batches. No Python object is made per packet.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from cvu.address import ConfigError, host_and_port
from cvu.config import Config
from cvu.mirrored import Unwrapper
from cvu.outputs.output import OUTPUTS, Output, discover
from cvu.rules import Rules
from cvu.stats import Stats
from wire.packets.layout import ERRORS
from wire.packets.udp import UdpReceiver, UdpSender

BATCH = 256
WAIT_S = 0.25
# VXLAN, Ethernet, IPv4, TCP: 10.0.0.1:1 > 10.0.0.2:2
WARM_UP_DATAGRAM = bytes.fromhex(
    "0800000000000100" "020000000001020000000002" "0800"
    "450000280000400040060000" "0a0000010a000002"
    "00010002000000000000000050100000" "00000000"
)  # fmt: skip


class Broker:
    """`start` opens everything, `run` works until `stop`, which a signal handler may call."""

    def __init__(self, config: Config, clock: Callable[[], float] = time.monotonic) -> None:
        discover()
        self.config = config
        self.stats = Stats(
            rules=[rule.name for rule in config.rules], outputs=[output.name for output in config.outputs]
        )
        self._rules = Rules(config, BATCH)
        self._outputs: list[Output] = [OUTPUTS[output.kind](output) for output in config.outputs]
        self._unwrapper = Unwrapper(BATCH)
        self._clock = clock
        self._receiver: UdpReceiver | None = None
        self._is_stopping = False

    @property
    def address(self) -> tuple[str, int]:
        """Where mirror traffic is received; the port is the system's choice if 0 was asked for."""
        assert self._receiver is not None
        return self._receiver.address

    def start(self) -> None:
        """Open socket and outputs; ConfigError says which one cannot be opened and what to do."""
        self._warm_up()
        try:
            self._receiver = UdpReceiver(*host_and_port(self.config.listen, "listen"), batch=BATCH)
        except OSError as error:
            raise ConfigError(
                f"cannot listen on {self.config.listen} (UDP): {error.strerror}; "
                "stop what listens there or set another `listen` address"
            ) from None
        for output, config in zip(self._outputs, self.config.outputs, strict=True):
            try:
                output.start()
            except OSError as error:
                self._receiver.close()
                raise ConfigError(f"[[output]] {config.name}: {config.to}: {error.strerror}") from None
        self.stats.alive_at = self._clock()

    def _warm_up(self) -> None:
        """Carry one packet to nowhere, so that kernels are compiled before the first real one arrives."""
        receiver = UdpReceiver("127.0.0.1", 0, batch=1)
        sender = UdpSender(*receiver.address)
        try:
            datagram = np.frombuffer(bytearray(WARM_UP_DATAGRAM), np.uint8)
            sender.send(datagram, np.zeros(1, np.int64), np.array([len(datagram)], np.int32))
            mirrored = Unwrapper(1).unwrap(receiver.receive(WAIT_S))
            self._rules.spread(mirrored.packets, self._rules.decide(mirrored.frames, mirrored.packets))
            for output in self._outputs:
                output.warm_up(mirrored)
        finally:
            receiver.close()
            sender.close()

    def stop(self) -> None:
        self._is_stopping = True

    def run(self) -> None:
        """Work until stopped, then close everything."""
        assert self._receiver is not None
        try:
            while not self._is_stopping:
                self.step(WAIT_S)
        finally:
            self._receiver.close()
            for output in self._outputs:
                output.stop()

    def step(self, timeout_s: float) -> int:
        """Carry what is there, waiting at most `timeout_s` for the first packet; answers the number of datagrams."""
        assert self._receiver is not None
        batch = self._receiver.receive(timeout_s)
        stats = self.stats
        stats.alive_at = self._clock()
        if not batch.packets:
            return 0
        mirrored = self._unwrapper.unwrap(batch)
        stats.received_packets += batch.packets
        stats.received_bytes += int(batch.length.sum())
        rule_of = self._rules.decide(mirrored.frames, mirrored.packets)
        goes = self._rules.spread(mirrored.packets, rule_of)
        for output, chosen in zip(self._outputs, goes, strict=False):
            numbers = np.flatnonzero(chosen)
            if len(numbers):
                output.send(mirrored, numbers)
        self._count(rule_of)
        return batch.packets

    def _count(self, rule_of: np.ndarray) -> None:
        stats, receiver, unwrapper = self.stats, self._receiver, self._unwrapper
        taken = np.bincount(rule_of + 1, minlength=len(stats.rules) + 1)
        stats.unmatched_packets += int(taken[0])
        stats.rule_packets += taken[1:]
        assert receiver is not None
        stats.dropped_by_kernel = receiver.dropped
        stats.truncated = receiver.truncated
        stats.not_mirrored = unwrapper.not_mirrored
        stats.malformed = dict(zip(ERRORS[1:], unwrapper.errors[1:].tolist(), strict=True))
        stats.output_packets = [output.sent_packets for output in self._outputs]
        stats.output_bytes = [output.sent_bytes for output in self._outputs]
        stats.output_errors = [output.errors for output in self._outputs]
