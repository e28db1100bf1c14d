"""Packets into pcap segments: copied in bulk by the engine's thread, written and sealed by a thread of their own.

A segment grows in live/ with a head record after each flush, and is moved into its hour's folder when it is full. A
segment holds one link type. When the disk cannot follow a live capture, or has less than `min_free` bytes left, whole
buffers are dropped and counted by reason, and a new segment begins when there is room again; an ingest waits instead.
"""

from __future__ import annotations

import errno
import os
import queue
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cstor.store.catalog import Segment, pack_head, sealed_path
from cstor.store.index_build import IndexBuilder, build_index, keys_of
from cstor.store.layout import HOUR_S, LIVE, SECOND_NS, replace_file
from cstor.store.records import copy_records, records_size, with_own_columns
from cstor.store.sequence import Sequence as Numbers
from wire.packets.batch import PacketBatch
from wire.packets.pcap import FILE_HEAD, pcap_header

SEGMENT_BYTES = 256 << 20
SEGMENT_SECONDS = 60
SMALL_BYTES = 1 << 20  # of an ingested capture: a smaller segment may run on into the next hours
BUFFER_BYTES = 2 << 20
QUEUED_BUFFERS = 64  # 128 MiB: a quarter of a second at 500 MB/s


@dataclass
class _Growing:
    """The segment being filled; the engine's thread counts what it handed over, the writing thread what is on disk."""

    path: Path
    link_type: int
    hour: int
    opened: float  # monotonic
    size: int = FILE_HEAD
    packets: int = 0
    first_ns: int = 0
    last_ns: int = 0
    newest_ns: int = 0  # of the packet added last
    ordered: bool = True

    def note(self, time_ns: np.ndarray, size: int) -> None:
        """Count a batch of packets."""
        if not self.packets:
            self.first_ns = self.last_ns = self.newest_ns = int(time_ns[0])
        self.ordered = self.ordered and bool(time_ns[0] >= self.newest_ns and (time_ns[1:] >= time_ns[:-1]).all())
        self.first_ns = min(self.first_ns, int(time_ns.min()))
        self.last_ns = max(self.last_ns, int(time_ns.max()))
        self.newest_ns = int(time_ns[-1])
        self.packets += len(time_ns)
        self.size += size

    def head(self) -> Segment:
        return Segment(self.path, self.link_type, self.first_ns, self.last_ns, self.packets, self.size, self.ordered)


@dataclass
class _Job:
    """One piece of work for the writing thread: packets and the head after them, or (no data) a seal."""

    growing: _Growing
    packets: int = 0
    data: np.ndarray | None = None
    head: Segment | None = None
    keys: Sequence[np.ndarray] = ()  # KEY of each packet, for the index
    batch: PacketBatch | None = None  # packets that lie in lasting memory, in place of data


class SegmentWriter:
    """`append` and `tick` belong to one thread. `close` seals what is open and waits for the disk."""

    def __init__(self, root: Path, sequence: Numbers, live: bool, min_free: int = 0) -> None:
        self.dropped_slow = 0  # packets that the disk was too slow for
        self.dropped_full = 0  # packets that could not be written at all
        self.written_packets = 0
        self.written_bytes = 0
        self.error: OSError | None = None  # of a live capture: why packets cannot be written now
        self._root = root
        self._min_free = min_free
        self._sequence = sequence
        self._live = live
        self._growing: _Growing | None = None
        self._buffer = np.empty(BUFFER_BYTES, np.uint8)
        self._used = 0
        self._unwritten = 0  # packets in the buffer
        self._keys: list[np.ndarray] = []  # of them
        self._batch: PacketBatch | None = None  # what is handed over from where it lies
        self._scratch = np.empty(0, np.uint8)  # of the writing thread: records of such packets
        self.lasting = False  # buffers of batches stay as they are: the writing thread makes the records
        self._jobs: queue.Queue[_Job | None] = queue.Queue()
        self._room = threading.Semaphore(QUEUED_BUFFERS)
        self._spare: queue.LifoQueue[np.ndarray] = queue.LifoQueue()  # written buffers, the one still in cache first
        self._failed: _Growing | None = None  # the segment that could not be written to its end
        self._thread = threading.Thread(target=self._work, name="segments", daemon=True)
        self._thread.start()

    @property
    def dropped_packets(self) -> int:
        return self.dropped_slow + self.dropped_full

    @property
    def queued(self) -> float:
        """Share of the write queue that is full, 0..1."""
        return min(1.0, self._jobs.qsize() / QUEUED_BUFFERS)

    def append(self, batch: PacketBatch, records: np.ndarray | None = None) -> None:
        """Store the frames of a batch. Its decoded records spare reading them again for the index."""
        if not batch.packets:
            return
        size = records_size(batch)
        growing = self._segment_for(batch, size)
        if self.lasting:
            self._hand_over()
            self._used, self._batch = size, with_own_columns(batch)
        else:
            if self._used + size > len(self._buffer):
                self._hand_over()
                if size > len(self._buffer):
                    self._buffer = np.empty(size, np.uint8)
            self._used += copy_records(batch, self._buffer[self._used :])
        self._unwritten += batch.packets
        if records is not None:
            self._keys.append(keys_of(batch, records))
        growing.note(batch.time_ns, size)
        if self.lasting:
            self._hand_over()

    def tick(self) -> None:
        """Called at least once a second while capturing: what was appended can be read, old segments are sealed."""
        self._hand_over()
        if self._growing and self._live and time.monotonic() - self._growing.opened >= SEGMENT_SECONDS:
            self._seal()

    def flush(self) -> None:
        """Make what was appended readable, and the segment a file of its own."""
        self._hand_over()
        self._seal()

    def close(self) -> None:
        self.flush()
        self._jobs.put(None)
        self._thread.join()
        if self.error and not self._live:
            raise self.error

    def _segment_for(self, batch: PacketBatch, size: int) -> _Growing:
        now = self._growing
        first_ns = int(batch.time_ns[0])
        hour = first_ns // SECOND_NS // HOUR_S
        is_new_hour = now and hour > now.hour and (self._live or now.size >= SMALL_BYTES)
        if now and (now.link_type != batch.link_type or now.size + size > SEGMENT_BYTES or is_new_hour):
            self._hand_over()
            self._seal()
        if self._growing is None:
            name = f"{first_ns:019d}-{self._sequence.next():010d}.pcap"
            self._growing = _Growing(self._root / LIVE / name, batch.link_type, hour, time.monotonic())
        return self._growing

    def _hand_over(self) -> None:
        growing = self._growing
        if growing is None or not self._used:
            return
        if self.error and not self._live:
            raise self.error
        if self._room.acquire(blocking=not self._live):
            data = self._buffer[: self._used] if self._batch is None else None
            self._jobs.put(_Job(growing, self._unwritten, data, growing.head(), self._keys, self._batch))
            if self._batch is None:
                self._buffer = self._next_buffer()
        else:
            self.dropped_slow += self._unwritten
            growing.size -= self._used
            growing.packets -= self._unwritten
        self._used = self._unwritten = 0
        self._keys, self._batch = [], None
        if growing is self._failed:
            self._seal()

    def _next_buffer(self) -> np.ndarray:
        try:
            return self._spare.get_nowait()
        except queue.Empty:
            return np.empty(BUFFER_BYTES, np.uint8)

    def _seal(self) -> None:
        if self._growing is not None:
            self._jobs.put(_Job(self._growing))
            self._growing = None

    def _work(self) -> None:
        file = _File(self._root, self._min_free)
        while (job := self._jobs.get()) is not None:
            try:
                self._do(job, file)
            except OSError as error:
                self.error = error
                self._failed = job.growing
                self.dropped_full += job.packets
            if job.data is not None and job.batch is None:
                self._spare.put(job.data.base if job.data.base is not None else job.data)
            if job.packets:
                self._room.release()

    def _do(self, job: _Job, file: _File) -> None:
        if job.head is None:
            file.seal()
        elif job.growing is self._failed:
            self.dropped_full += job.packets  # nothing may follow a record that is torn
        else:
            if job.batch is not None:
                job.data = self._records(job.batch)
            assert job.data is not None
            file.write(job.growing.path, job.data, job.head, job.keys)
            self.error = None
            self.written_packets += job.packets
            self.written_bytes += len(job.data)

    def _records(self, batch: PacketBatch) -> np.ndarray:
        size = records_size(batch)
        if size > len(self._scratch):
            self._scratch = np.empty(size, np.uint8)
        copy_records(batch, self._scratch)
        return self._scratch[:size]


class _File:
    """The files of the segment being written; belongs to the writing thread."""

    def __init__(self, root: Path, min_free: int) -> None:
        self._root = root
        self._min_free = min_free
        self._pcap = -1
        self._idx = -1
        self._head: Segment | None = None
        self._builder = IndexBuilder()
        self._unsealed: list[tuple[Segment, IndexBuilder]] = []

    def write(self, path: Path, data: np.ndarray, head: Segment, keys: Sequence[np.ndarray]) -> None:
        require_free(self._root, self._min_free)
        if self._pcap < 0:
            self._open(path, head.link_type)
        _write_all(self._pcap, data.data)
        _write_all(self._idx, memoryview(pack_head(head)))
        self._head = head
        for some in keys:
            self._builder.add(some)

    def seal(self) -> None:
        """Also those that could not be sealed before; what still cannot is tried again with the next."""
        head, self._head = self._head, None
        if head:
            self._unsealed.append((head, self._builder))
        self._builder = IndexBuilder()
        if self._pcap >= 0:
            os.close(self._pcap)
            os.close(self._idx)
            self._pcap = self._idx = -1
        while self._unsealed:
            seal_segment(self._root, *self._unsealed[0])
            self._unsealed.pop(0)

    def _open(self, path: Path, link_type: int) -> None:
        """Both files, or none."""
        pcap = idx = -1
        try:
            pcap = _create(path)
            idx = _create(path.with_suffix(".idx"))
            _write_all(pcap, memoryview(pcap_header(link_type)))
        except OSError:
            for fd, file in ((pcap, path), (idx, path.with_suffix(".idx"))):
                if fd >= 0:
                    os.close(fd)
                    file.unlink(missing_ok=True)
            raise
        self._pcap, self._idx = pcap, idx


def require_free(root: Path, min_free: int) -> None:
    """OSError when the disk has less space than is kept for series and sessions."""
    if min_free:
        found = os.statvfs(root)
        free = found.f_bavail * found.f_frsize
        if free < min_free:
            reason = f"only {free >> 20} MiB are free, and {min_free >> 20} MiB are kept for series and sessions"
            raise OSError(errno.ENOSPC, reason)


def seal_segment(root: Path, segment: Segment, builder: IndexBuilder | None = None) -> None:
    """Move a finished segment out of live/: the pcap, then its index, then the live head goes. An index that has not
    seen all packets (the writer was killed) is made anew."""
    target = sealed_path(root, segment.path.name)
    target.parent.mkdir(parents=True, exist_ok=True)
    if segment.path.exists():
        os.truncate(segment.path, segment.bytes_valid)
        segment.path.rename(target)
    is_whole = builder is not None and builder.packets == segment.packets
    index = builder.pack(segment) if builder and is_whole else build_index(target, segment)
    replace_file(target.with_suffix(".idx"), index)
    segment.path.with_suffix(".idx").unlink(missing_ok=True)


def _create(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)


def _write_all(fd: int, view: memoryview) -> None:
    while view:
        view = view[os.write(fd, view) :]
