"""What a source of packets is. A kind of source is a file of this package that registers its class by its name."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from cstor.config import ConfigError
from wire.packets.batch import PacketBatch
from wire.registry import Registry, autodiscover


class Source(ABC):
    """Hands over batches of frames with their receive times. Made inert; `open` takes the socket or file."""

    name: str  # unique among a node's sources: what its counters are called by
    packets: int = 0
    frame_bytes: int = 0

    @abstractmethod
    def open(self) -> None:
        """Begin to receive; ConfigError that says what to do where that is impossible."""

    @abstractmethod
    def read(self, timeout_s: float) -> PacketBatch | None:
        """The next frames, waiting at most `timeout_s`; None if there are none. Valid until the next call."""

    @abstractmethod
    def close(self) -> None:
        """Give up what `open` took."""

    def drops(self) -> dict[str, int]:
        """Packets lost before they could be read, by reason, since `open`."""
        return {}

    def noted(self, batch: PacketBatch | None) -> PacketBatch | None:
        """Count a batch on its way out."""
        if batch is None or not batch.packets:
            return None
        self.packets += batch.packets
        self.frame_bytes += int(batch.wire_length.sum(dtype="i8"))
        return batch


SOURCES: Registry[type[Source]] = Registry("source")


def make_source(options: Mapping[str, Any]) -> Source:
    """The source that a [[source]] table describes; ConfigError for what it cannot be."""
    if not SOURCES.keys():
        autodiscover("cstor.capture")
        SOURCES.freeze()
    kind = options["kind"]
    try:
        chosen = SOURCES[kind]
    except KeyError as error:
        raise ConfigError(f"[[source]]: {error.args[0]}") from None
    try:
        return chosen(**{key: value for key, value in options.items() if key != "kind"})
    except TypeError as error:
        raise ConfigError(f"[[source]] of kind {kind}: {str(error).split('__init__() ')[-1]}") from None
