"""What a source of packets is. A kind of source is a file of this package that registers its class by its name.

A source has one reader per capture thread; all but `afpacket` have one thread. Counters live in the readers: each is
written by its own thread alone and may be read by any.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, get_type_hints

from cstor.config import ConfigError
from wire.packets.batch import PacketBatch, batch_of
from wire.packets.jit import kernel
from wire.registry import Registry, autodiscover


class Reader(ABC):
    """What one capture thread reads of a source."""

    packets: int = 0
    frame_bytes: int = 0
    truncated: int = 0  # packets of which fewer bytes were captured than were on the wire
    delay_ns: int = 0  # a packet may be handed out so long after its time although the reader was asked before
    kernel_times: bool = True  # stamped by this machine's wall clock, so set back together with it
    ended: bool = False  # nothing more will come

    def __init__(self) -> None:
        self.lock = threading.Lock()  # held by whoever reads, or opens anew

    @abstractmethod
    def read(self, timeout_s: float) -> PacketBatch | None:
        """The next frames, waiting at most `timeout_s`; None if there are none. Valid until the next call."""

    def drops(self) -> dict[str, int]:
        """Packets lost before they could be read, by reason, since `open`."""
        return {}

    def fill(self) -> float | None:
        """Share of the buffer before this reader that is taken, 0..1; None where nobody can know."""
        return None

    def noted(self, batch: PacketBatch | None) -> PacketBatch | None:
        """Count a batch on its way out."""
        if batch is None or not batch.packets:
            return None
        frame_bytes, truncated = count_frames(batch.captured, batch.wire_length)
        self.packets += batch.packets
        self.frame_bytes += int(frame_bytes)
        self.truncated += int(truncated)
        return batch


@kernel
def count_frames(captured, wire_length):  # type: ignore[no-untyped-def]
    """(bytes on the wire, frames of which fewer were captured)."""
    total = truncated = 0
    for index in range(len(captured)):
        total += wire_length[index]
        truncated += captured[index] < wire_length[index]
    return total, truncated


class Source(ABC):
    """Hands over batches of frames with their receive times. Made inert; `open` takes the socket or file."""

    name: str  # unique among a node's sources: what its counters are called by

    def __init__(self) -> None:
        self.readers: Sequence[Reader] = ()
        self.problem: str | None = None  # why nothing is received, in words
        self.warnings: list[str] = []  # what an operator should know although packets come

    def warm_up(self) -> None:
        """Load, or compile, the kernels of this kind, so that the first packets need not wait for them."""
        batch = batch_of([bytes(64)])
        count_frames(batch.captured, batch.wire_length)

    @abstractmethod
    def open(self) -> None:
        """Begin to receive: fills `readers`; ConfigError that says what to do where that is impossible."""

    @abstractmethod
    def close(self) -> None:
        """Give up what `open` took."""

    def check(self) -> None:  # noqa: B027 - most kinds have nothing to mend
        """Called about twice a second by a thread that reads nothing: set or clear `problem`, mend what can be."""

    def read(self, timeout_s: float = 0.0) -> PacketBatch | None:
        """The next frames of a source with one thread."""
        return self.readers[0].read(timeout_s)

    @property
    def packets(self) -> int:
        return sum(reader.packets for reader in self.readers)

    @property
    def frame_bytes(self) -> int:
        return sum(reader.frame_bytes for reader in self.readers)

    @property
    def truncated(self) -> int:
        """Packets of which fewer bytes were captured than were on the wire."""
        return sum(reader.truncated for reader in self.readers)

    @property
    def ended(self) -> bool:
        """Whether nothing more will come: the end of a stream."""
        return bool(self.readers) and all(reader.ended for reader in self.readers)

    @property
    def state(self) -> str:
        """capturing, ended, or failed (`problem` says why)."""
        return "failed" if self.problem else "ended" if self.ended else "capturing"

    def drops(self) -> dict[str, int]:
        """Packets lost before they could be read, by reason, since `open`; over all threads."""
        total: Counter[str] = Counter()
        for reader in self.readers:
            total.update(reader.drops())
        return dict(total)

    def threads(self) -> list[dict[str, Any]]:
        """The counters of each capture thread."""
        return [
            {
                "thread": number,
                "packets": reader.packets,
                "bytes": reader.frame_bytes,
                "truncated": reader.truncated,
                "drops": reader.drops(),
                "ring_fill": reader.fill(),
            }
            for number, reader in enumerate(self.readers)
        ]


SOURCES: Registry[type[Source]] = Registry("source")


@cache
def _discover() -> None:
    """Once, also where a kind was imported by itself before."""
    autodiscover("cstor.capture")
    SOURCES.freeze()


def make_source(options: Mapping[str, Any]) -> Source:
    """The source that a [[source]] table describes; ConfigError for what it cannot be."""
    _discover()
    kind = options["kind"]
    try:
        chosen = SOURCES[kind]
    except KeyError as error:
        raise ConfigError(f"[[source]]: {error.args[0]}") from None
    _check_types(chosen, options)
    try:
        return chosen(**{key: value for key, value in options.items() if key != "kind"})
    except TypeError as error:
        raise ConfigError(f"[[source]] of kind {kind}: {str(error).split('__init__() ')[-1]}") from None


def _check_types(chosen: type[Source], options: Mapping[str, Any]) -> None:
    """A key of a wrong type is told by its name; keys that are unknown or missing are told by the constructor."""
    wanted = get_type_hints(chosen.__init__)
    for key, value in options.items():
        kind = wanted.get(key, object)
        fits = isinstance(value, (int, float) if kind is float else kind)
        if not fits or (isinstance(value, bool) and kind not in (bool, object)):
            raise ConfigError(f"[[source]] of kind {options['kind']}: {key} has the wrong type: {value!r}")
