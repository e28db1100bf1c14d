"""What an output is: one file of this package, discovered, whose name is the `kind` in the configuration.

An output must never stop the broker: what cannot be delivered is counted, and the next packet is tried.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

from cvu.mirrored import Mirrored
from wire.registry import Registry, autodiscover

if TYPE_CHECKING:
    from cvu.config import OutputConfig


class Output(Protocol):
    """A tool that is fed with mirrored frames. Counters: packets and bytes (of frames) that left, and errors."""

    sent_packets: int
    sent_bytes: int

    @property
    def errors(self) -> int: ...

    @classmethod
    def check(cls, config: OutputConfig) -> None:
        """Raise ConfigError for a configuration that cannot work."""

    def __init__(self, config: OutputConfig) -> None: ...

    def warm_up(self, mirrored: Mirrored) -> None:
        """Compile what `send` needs, without sending anything."""

    def start(self) -> None:
        """Open what is needed; OSError where that fails."""

    def send(self, mirrored: Mirrored, chosen: np.ndarray) -> None:
        """Deliver the frames with these numbers, now."""

    def stop(self) -> None:
        """Close what `start` has opened."""


OUTPUTS: Registry[type[Output]] = Registry("output kind")


def discover() -> Registry[type[Output]]:
    """All kinds of outputs, by name."""
    if not len(OUTPUTS):
        autodiscover("cvu.outputs")
        OUTPUTS.freeze()
    return OUTPUTS
