"""Verifies every file of a store: whole, of a known version, in its place, and of one mind with its neighbours.

Reads only. Beside a running node files come, grow and go: what is gone when its turn comes was sealed, merged or
removed, and the folders are listed again until nothing new is found. What a kill leaves behind, and the next start puts
in order, is a note; what nobody will repair is a problem.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cstor.store.check_live import check_log, is_log
from cstor.store.check_packets import check_growing, check_sealed
from cstor.store.check_parquet import PartChecker
from cstor.store.finding import Finding
from cstor.store.layout import DATASETS, LIVE, StoreError, hours, part_of
from cstor.store.ledger import Ledger, read_clock, read_ledger
from cstor.store.snapshot import current_parts, parts_in
from cstor.store.timetext import time_text

ROUNDS = 10
OLD_TMP_S = 600  # beside a running node: no file takes so long to write
OWN_FILES = {"ledger.json", "lock"}
OWN_LIVE_FILES = {"clock.json", "status.json"}

Tell = Callable[[Path], None]


@dataclass
class Report:
    """What was found."""

    files: Counter[str] = field(default_factory=Counter)
    packets: int = 0
    rows: int = 0
    kills: int = 0
    lost_sessions: int = 0
    problems: list[Finding] = field(default_factory=list)
    notes: list[Finding] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        return {
            "files": sum(self.files.values()),
            "by_kind": dict(sorted(self.files.items())),
            "packets": self.packets,
            "rows": self.rows,
            "kills": self.kills,
            "lost_sessions": self.lost_sessions,
            "notes": len(self.notes),
            "problems": len(self.problems),
        }


def check(root: Path, tell: Tell = lambda path: None) -> Report:
    """Everything under `root`, which is a store."""
    run = _Run(root, tell)
    for _ in range(ROUNDS):
        if not run.round():
            break
    run.hours()
    return run.report


class _Run:
    """One check: what was seen already, and what was found."""

    def __init__(self, root: Path, tell: Tell) -> None:
        self.report = Report()
        self._root = root
        self._tell = tell
        self._seen: set[Path] = set()
        self._parquet = PartChecker()
        self._is_running = is_written(root)
        self._ledger()

    def round(self) -> bool:
        """Look at every file that was not seen before; False when there was none."""
        found = [path for path in _files(self._root) if path not in self._seen]
        for path in found:
            self._seen.add(path)
            self._tell(path)
            try:
                self._file(path)
            except FileNotFoundError:
                continue  # sealed, merged or removed since the folder was read: listed again if it stands elsewhere
            except OSError as error:
                self._problem(path, f"cannot be read ({error.strerror})", "look at its rights and at the disk")
        return bool(found)

    def hours(self) -> None:
        """What only several files together can show."""
        for hour, folder in list(hours(self._root, "series")):
            finding = self._parquet.check_hour(self._root, hour)
            if finding:
                self._problem(folder, *finding)
        if self._is_running:
            return
        for dataset in DATASETS:
            for hour, folder in list(hours(self._root, dataset)):
                parts = parts_in(folder, dataset, hour)
                for part in sorted(set(parts) - set(current_parts(parts))):
                    self._note(part.path, "stands beside the file that it was merged into", "the next merge removes it")

    def _file(self, path: Path) -> None:
        place = path.relative_to(self._root).parts
        if path.name.startswith(".") and path.name.endswith(".tmp"):
            self._temporary(path)
        elif place[0] == LIVE and len(place) == 2:
            self._live(path)
        elif place[0] == "packets" and len(place) == 4 and path.suffix in (".pcap", ".idx"):
            self._sealed(path)
        elif place[0] in DATASETS and len(place) == 4:
            self._part(path, place[0])
        elif len(place) > 1 or path.name not in OWN_FILES:
            self._note(path, "is not a file of a store", "nothing reads it; move it elsewhere")

    def _temporary(self, path: Path) -> None:
        if not self._is_running:
            self._note(path, "was being written when its writer was killed", "the next start removes it")
        elif time.time() - path.stat().st_mtime > OLD_TMP_S:
            self._problem(path, "nobody writes it any more", "remove it, or start the node anew")

    def _live(self, path: Path) -> None:
        if is_log(path):
            self.report.files["log"] += 1
            self._take(path, check_log(path, self._is_running))
        elif path.suffix == ".idx":
            self.report.files["growing segment"] += 1
            found = check_growing(self._root, path)
            self.report.packets += found.packets
            self._take(path, found.findings)
        elif path.suffix == ".pcap":
            if not path.with_suffix(".idx").exists() and path.exists() and not self._is_running:
                self._note(path, "has no packet yet that can be read", "the next start removes it")
        elif path.name not in OWN_LIVE_FILES:
            self._note(path, "is not a file of a store", "nothing reads it; move it elsewhere")

    def _sealed(self, path: Path) -> None:
        if path.suffix == ".idx":
            self.report.files["segment"] += 1
            found = check_sealed(path)
            self.report.packets += found.packets
            self._take(path, found.findings)
        elif not path.with_suffix(".idx").exists() and path.exists():
            live = self._root / LIVE / path.with_suffix(".idx").name
            if not live.exists() and not path.with_suffix(".idx").exists() and path.exists():
                self._problem(path, "has no index, so that no search finds it", "move it out and `cstor ingest` it")

    def _part(self, path: Path, dataset: str) -> None:
        hour = next((hour for hour, folder in hours(self._root, dataset) if folder == path.parent), None)
        part = None if hour is None else part_of(path, dataset, hour)
        if part is None:
            self._note(path, "is not a file of a store", "nothing reads it; move it elsewhere")
            return
        self.report.files[dataset] += 1
        found = self._parquet.check(part)
        self.report.rows += found.rows
        self._take(path, found.findings)

    def _ledger(self) -> None:
        try:
            ledger = read_ledger(self._root)
        except StoreError as error:
            self._problem(self._root / "ledger.json", str(error).partition(": ")[2], "see there")
            return
        self.report.kills = len(ledger.kills)
        self.report.lost_sessions = sum(flows for _, flows in ledger.kills)
        wrong = _wrong_ledger(ledger)
        if wrong:
            self._problem(self._root / "ledger.json", wrong, "remove it to go on without its history")
        path = self._root / LIVE / "clock.json"
        clock = read_clock(self._root)
        if clock is None and path.exists() and read_clock(self._root) is None:
            self._problem(path, "is damaged", "remove it: what the last capture observed is lost")
        elif clock and not self._is_running:
            until = time_text(clock.complete_until)
            self._note(path, f"a capture was killed after {until}", "the next start takes it up")

    def _take(self, path: Path, findings: list[Finding]) -> None:
        for finding in findings:
            if finding.is_note:
                self._note(path, finding.what, finding.remedy)
            else:
                self._problem(path, finding.what, finding.remedy)

    def _problem(self, path: Path, what: str, remedy: str) -> None:
        self.report.problems.append(Finding(what, remedy, path=path))

    def _note(self, path: Path, what: str, remedy: str) -> None:
        self.report.notes.append(Finding(what, remedy, path=path, is_note=True))


def is_written(root: Path) -> bool:
    """Whether a process writes into this store now: it holds the lock."""
    try:
        fd = os.open(root / "lock", os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return False
    except BlockingIOError:
        return True
    finally:
        os.close(fd)


def _files(root: Path) -> Iterator[Path]:
    """Every file, live ones first: what is sealed or published meanwhile is found in its new place."""
    folders = [root / LIVE, *(path for path in sorted(root.iterdir()) if path.is_dir() and path.name != LIVE)]
    for folder in folders:
        for at, inner, names in os.walk(folder):
            inner.sort()
            yield from (Path(at) / name for name in sorted(names))
    yield from (path for path in sorted(root.iterdir()) if path.is_file())


def _wrong_ledger(ledger: Ledger) -> str | None:
    last = None
    for start, end in ledger.observed:
        if start >= end or (last is not None and start < last):
            return f"its observed intervals are out of order at {start}"
        last = end
    return None
