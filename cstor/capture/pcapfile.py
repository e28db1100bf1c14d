"""A capture file as a source, packet times as they stand in it: what `ingest` reads. "-" is standard input."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from cstor.capture.source import SOURCES, Reader, Source
from wire.packets.batch import PacketBatch
from wire.packets.capturefile import CaptureReader
from wire.packets.pcap import open_capture, read_capture

STANDARD_INPUT = "-"


class FileReader(Reader):
    """The batches of one file."""

    kernel_times = False

    def __init__(self, reader: CaptureReader) -> None:
        super().__init__()
        self.capture = reader
        self._batches: Iterator[PacketBatch] = iter(reader)

    def read(self, timeout_s: float = 0.0) -> PacketBatch | None:
        """The next batch; None at the end of the file."""
        batch = self.noted(next(self._batches, None))
        self.ended = batch is None
        return batch


class PcapFileSource(Source):
    """Ends with the file; a damaged one raises CaptureError after its whole packets were handed over."""

    def __init__(self, path: str | Path, name: str = "") -> None:
        super().__init__()
        self.path = Path(path)
        self.name = name or str(path)
        self.reader: CaptureReader | None = None

    def open(self) -> None:
        if str(self.path) == STANDARD_INPUT:
            self.reader = read_capture(open(0, "rb", buffering=0, closefd=False), "standard input")  # noqa: SIM115
        else:
            self.reader = open_capture(self.path)
        self.readers = (FileReader(self.reader),)

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
