"""A pcap or pcapng stream as a live source, on standard input or a named pipe: `tcpdump -w - | python -m cstor run`.

Packet times are the stream's. A thread reads and walks the stream, since a record may come in two pieces with any time
between them; it hands over one batch at a time and waits until that was used, so a slow node holds up the sender.
"""

from __future__ import annotations

import os
import select
import stat
import threading
import time
from pathlib import Path
from typing import Any

from cstor.capture.source import SOURCES, Reader, Source
from cstor.config import ConfigError
from wire.packets.batch import PacketBatch
from wire.packets.capturefile import CaptureError
from wire.packets.pcap import read_capture

STANDARD_INPUT = "-"
PATIENCE_S = 0.02  # for the reading thread, while it works on bytes that are there
OLD_NS = 60_000_000_000  # a stream that is so far from now is no live one


class Stream:
    """An unbuffered binary file over a pipe. `waiting` tells that all that came has been taken."""

    def __init__(self, handle: int, changed: threading.Condition) -> None:
        self.waiting = False
        self._handle = handle
        self._changed = changed
        self._poll = select.poll()
        self._wake, self._waker = os.pipe()
        self._poll.register(self._handle, select.POLLIN)
        self._poll.register(self._wake, select.POLLIN)

    def readinto(self, room: Any) -> int:
        """At least one byte; 0 at the end, and after `stop`."""
        if not self._poll.poll(0):
            self._say(True)
        ready = [handle for handle, _ in self._poll.poll()]
        self._say(False)
        if self._wake in ready:
            return 0
        return os.readv(self._handle, [room])

    def stop(self) -> None:
        """Wake up whoever reads, for the last time."""
        os.write(self._waker, b"x")

    def close(self) -> None:
        """For the capture's reader, in whose thread nothing is given up: another may be about to wake it."""

    def release(self) -> None:
        for handle in (self._handle, self._wake, self._waker):
            os.close(handle)

    def _say(self, waiting: bool) -> None:
        with self._changed:
            self.waiting = waiting
            self._changed.notify_all()


class PipeReader(Reader):
    """The reading thread and what it hands over."""

    kernel_times = False

    def __init__(self, handle: int, name: str, delay_ns: int) -> None:
        super().__init__()
        self.delay_ns = delay_ns
        self.error: str | None = None
        self.away_ns = 0  # how far the first packet's time was from the present
        self._name = name
        self._changed = threading.Condition()
        self._stream: Any = Stream(handle, self._changed)
        self._batch: PacketBatch | None = None
        self._is_lent = self._is_over = self._is_closing = False
        self._thread = threading.Thread(target=self._work, name="stream", daemon=True)
        self._thread.start()

    def read(self, timeout_s: float) -> PacketBatch | None:
        with self._changed:
            if self._is_lent:
                self._batch, self._is_lent = None, False
                self._changed.notify_all()
            self._changed.wait_for(self._is_settled, max(timeout_s, PATIENCE_S))
            if self._batch is None:
                self.ended = self._is_over
                return None
            self._is_lent = True
            if not self.packets:
                self.away_ns = abs(time.time_ns() - int(self._batch.time_ns[0]))
            return self.noted(self._batch)

    def close(self) -> None:
        with self._changed:
            self._is_closing = True
            self._changed.notify_all()
        self._stream.stop()
        self._thread.join()
        self._stream.release()

    def _is_settled(self) -> bool:
        return self._batch is not None or self._is_over or self._stream.waiting

    def _work(self) -> None:
        try:
            for batch in read_capture(self._stream, self._name):
                if not self._hand_over(batch):
                    break
        except (CaptureError, OSError) as error:
            if not self._is_closing:
                self.error = str(error)
        finally:
            with self._changed:
                self._is_over = True
                self._changed.notify_all()

    def _hand_over(self, batch: PacketBatch) -> bool:
        """Wait until it has been used; False when nobody wants more."""
        if not batch.packets:
            return True
        with self._changed:
            self._batch = batch
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._batch is None or self._is_closing)
            return not self._is_closing


class PipeSource(Source):
    """`path` is "-" or a named pipe; packets may come `delay_s` after their time: senders write in blocks."""

    def __init__(self, path: str = STANDARD_INPUT, delay_s: float = 2.0, name: str = "") -> None:
        super().__init__()
        self.path = path
        self.name = name or ("standard input" if path == STANDARD_INPUT else path)
        if isinstance(delay_s, bool) or not isinstance(delay_s, int | float) or not 0 <= delay_s <= 60:
            raise ConfigError(f"[[source]] {self.name}: delay_s is 0 to 60 seconds, not {delay_s!r}")
        self._delay_ns = int(delay_s * 1e9)
        self._reader: PipeReader | None = None

    def open(self) -> None:
        self._reader = PipeReader(self._handle(), self.name, self._delay_ns)
        self.readers = (self._reader,)

    def close(self) -> None:
        if self._reader:
            self._reader.close()

    def check(self) -> None:
        """Say what is wrong with the stream, and what is strange."""
        reader = self._reader
        if reader is None:
            return
        if reader.error and reader.ended:
            self.problem = f"the stream is broken: {reader.error}"
        if reader.away_ns > OLD_NS and not self.warnings:
            days = reader.away_ns / 86_400e9
            self.warnings.append(
                f"{self.name}: packet times are {days:,.2f} days from now, so they get the time of their arrival; "
                "an old capture is read by: python -m cstor ingest --store DIR FILE"
            )

    def _handle(self) -> int:
        where = f"[[source]] {self.name}"
        try:
            if self.path == STANDARD_INPUT:
                if os.isatty(0):
                    raise ConfigError(f"{where}: it is a terminal; pipe a capture in, such as: tcpdump -U -w - | ...")
                return os.dup(0)
            if not stat.S_ISFIFO(Path(self.path).stat().st_mode):
                raise ConfigError(f"{where}: not a named pipe; a file is read by: python -m cstor ingest --store DIR")
            return os.open(self.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            raise ConfigError(f"{where}: there is none; make it with: mkfifo {self.path}") from None
        except OSError as error:
            raise ConfigError(f"{where}: {error.strerror}") from None


SOURCES.add("pipe", PipeSource)
