"""What a writer does before it writes: finish what a killed one left in live/.

Segments and logs are cut after their last whole block and published; a log whose Parquet file is there already only
has to go. Nothing that readers could see before is lost.
"""

from __future__ import annotations

import logging
import re
from pathlib import Path

import duckdb

from cstor.store.catalog import Segment, read_head, sealed_path
from cstor.store.layout import LIVE, hour_folder, hours
from cstor.store.ledger import note_kill, raise_revisions, read_ledger, settle_clock
from cstor.store.replay import read_log
from cstor.store.segment import seal_segment
from cstor.store.tables import recover_tables
from cstor.store.timetext import time_text
from cstor.store.writer import Publisher

log = logging.getLogger("cstor.store")

_LOG = re.compile(r"^(series|sessions)-(-?\d+)-(\d{10})\.log$")


def recover(root: Path) -> None:
    """Bring a store into order; the caller holds its lock. What a full disk does not allow is left for the next time:
    readers have it from where it is."""
    for hidden in root.glob("**/.*.tmp"):
        hidden.unlink(missing_ok=True)
    for step in (_recover_segments, _recover_logs, recover_tables, _recover_ledger):
        try:
            step(root)
        except (OSError, duckdb.Error) as error:
            log.warning("left as it is until the next start: %s", error)


def _recover_ledger(root: Path) -> None:
    kill = note_kill(root)
    if kill:
        until, flows = time_text(kill[0]), kill[1]
        log.warning("the last capture was killed; complete until %s, sessions of %d open flows are lost", until, flows)
    settle_clock(root)
    if read_ledger(root).pending:
        raise_revisions(root, ())


def _recover_segments(root: Path) -> None:
    for idx in sorted((root / LIVE).glob("*.idx")):
        segment = _whole_segment(idx)
        if segment is not None and segment.packets:
            seal_segment(root, segment)
        else:
            idx.unlink()
    for pcap in (root / LIVE).glob("*.pcap"):
        if not sealed_path(root, pcap.name).exists():
            pcap.unlink()  # killed before its first head was written
    for _, folder in hours(root, "packets"):
        for idx in folder.glob("*.idx"):
            if not idx.with_suffix(".pcap").exists():
                idx.unlink()  # killed while retention removed the two


def _whole_segment(idx: Path) -> Segment | None:
    """What of a segment is there: all that its head says, unless the power went before the disk had it."""
    segment = read_head(idx)
    if segment and segment.path.exists():
        return read_head(idx, segment.path.stat().st_size)
    return segment


def _recover_logs(root: Path) -> None:
    publisher = Publisher(root)
    for path in sorted((root / LIVE).glob("*.log")):
        found = _LOG.match(path.name)
        if not found:
            continue
        dataset, hour, sequence = found[1], int(found[2]), int(found[3])
        published = list(hour_folder(root, dataset, hour).glob(f"*-L0-{sequence:010d}.parquet"))
        seconds, sessions = read_log(path)
        if seconds and not published:
            publisher.series(hour, sequence, seconds)
        if sessions and not published:
            publisher.sessions(hour, sequence, sessions)
        path.unlink()
