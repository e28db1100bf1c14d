"""A capture file as a source, packet times as they stand in it: what `ingest` reads."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from cstor.capture.source import SOURCES, Source
from wire.packets.batch import PacketBatch
from wire.packets.capturefile import CaptureReader
from wire.packets.pcap import open_capture


class PcapFileSource(Source):
    """Ends with the file; a damaged one raises CaptureError after its whole packets were handed over."""

    def __init__(self, path: str | Path, name: str = "") -> None:
        self.path = Path(path)
        self.name = name or str(path)
        self.reader: CaptureReader | None = None
        self._batches: Iterator[PacketBatch] = iter(())

    def open(self) -> None:
        self.reader = open_capture(self.path)
        self._batches = iter(self.reader)

    def read(self, timeout_s: float = 0.0) -> PacketBatch | None:
        """The next batch; None at the end of the file."""
        return self.noted(next(self._batches, None))

    def close(self) -> None:
        if self.reader:
            self.reader.close()

    @property
    def bytes_read(self) -> int:
        return self.reader.bytes_read if self.reader else 0

    @property
    def other_records(self) -> int:
        """Records without a packet that readers count as one (pcapng only)."""
        return self.reader.other_records if self.reader else 0


SOURCES.add("pcapfile", PcapFileSource)
