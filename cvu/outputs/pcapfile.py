"""A capture file: the mirrored frames without their tunnel, nanosecond pcap. For looking into what a rule takes.

The file is complete and in place when the broker stops; until then it carries a hidden name. It does not rotate.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cvu.address import ConfigError
from cvu.mirrored import Mirrored
from cvu.outputs.output import OUTPUTS
from wire.packets.layout import LINK_ETHERNET
from wire.packets.pcap import PcapWriter, pcap_records

if TYPE_CHECKING:
    from cvu.config import OutputConfig


class PcapfileOutput:
    """To a path whose folder exists."""

    def __init__(self, config: OutputConfig) -> None:
        self._path = Path(config.to)
        self._hidden = self._path.with_name(f".{self._path.name}.part")
        self._writer: PcapWriter | None = None
        self.sent_packets = self.sent_bytes = self.errors = 0

    @classmethod
    def check(cls, config: OutputConfig) -> None:
        folder = Path(config.to).absolute().parent
        if not folder.is_dir():
            raise ConfigError(f"[[output]] {config.name}: there is no folder {folder}; make it first")

    def warm_up(self, mirrored: Mirrored) -> None:
        pcap_records(mirrored.frames)

    def start(self) -> None:
        self._writer = PcapWriter(self._hidden, LINK_ETHERNET, nanoseconds=True)

    def send(self, mirrored: Mirrored, chosen: np.ndarray) -> None:
        assert self._writer is not None
        frames = mirrored.frames
        part = frames._replace(
            offset=frames.offset[chosen],
            captured=frames.captured[chosen],
            wire_length=frames.wire_length[chosen],
            time_ns=frames.time_ns[chosen],
        )
        try:
            self._writer.write(part)
        except OSError:
            self.errors += len(chosen)
            return
        self.sent_packets += len(chosen)
        self.sent_bytes += int(part.captured.sum())

    def stop(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None
            self._hidden.replace(self._path)


OUTPUTS.add("pcapfile", PcapfileOutput)
