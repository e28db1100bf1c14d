"""Rewrites closed days of 1-minute samples sorted by group, then time: at night, a day at a time.

Monitors whose base step is a minute write rows in the order of time, so that a day of one group lies on as many pages
as it has rows. The day is copied in order beside its partition, which stays in use, and put in its place at the end.
A trigger notes writes that come meanwhile: then the copy is thrown away and the next night tries again. Whatever is
left of a copy whose maker was killed goes first.
"""

from __future__ import annotations

import datetime as dt
import logging
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import OperationalError, connection, transaction
from django.utils import timezone

from monitors.models import Monitor, Partition
from monitors.series import partitions
from monitors.series.distributed import distributed
from monitors.series.sizes import own_folder
from monitors.series.tiers import UTC, partition_name, table_of

STEP = 60
# Hours of the site's own clock.
NIGHT = range(1, 5)
# Late rows of a day, and its roll-ups, should be through.
CLOSED_S = 6 * 3600
TRIES, WAIT_MS = 5, 1000
# Any fixed number: one process sorts at a time.
LOCK = 0x63436C_03
NOTE = "samples_note_write"

log = logging.getLogger(__name__)


def sort_at_night(now: float) -> str | None:
    """One closed day, if it is night and one is left; the partition that is sorted now."""
    hour = dt.datetime.fromtimestamp(now, timezone.get_default_timezone()).hour
    return sort_one(now) if hour in NIGHT else None


def sort_one(now: float, before_swap: Callable[[], object] = lambda: None) -> str | None:
    """The newest closed day that is not sorted; None where there is none, or where it was written to meanwhile."""
    if not Monitor.objects.filter(resolution=STEP).exists() or distributed():
        return None
    with _alone() as is_alone:
        if not is_alone:
            return None
        if not _clean():
            return None
        closed = dt.datetime.fromtimestamp(now - CLOSED_S, UTC)
        left = Partition.objects.filter(step=STEP, dropped=None, sorted_at=None, upper__lt=closed)
        # A day into which history is just being pulled has its turn when that is over.
        partition = left.filter(last_write__lt=closed).order_by("-lower").first()
        if partition is None:
            return None
        name = partition_name(STEP, int(partition.lower.timestamp()))
        if not _has_room(name):
            log.warning("%s stays unsorted: there is no room for a copy of it", name)
            return None
        try:
            _watch(name)
            _copy(name, partition)
            before_swap()
            return name if _swap(name, partition) else None
        finally:
            _clean()


@contextmanager
def _alone() -> Iterator[bool]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [LOCK])
        is_alone = cursor.fetchone()[0]
    try:
        yield is_alone
    finally:
        if is_alone:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [LOCK])


def _clean() -> bool:
    """What a sorter leaves behind: copies, notes, triggers; all at once, or another time."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            # Whoever waits for a lock on a table makes all wait who come after.
            cursor.execute(f"SET LOCAL lock_timeout = {WAIT_MS}")
            _remove_leftovers(cursor)
        return True
    except OperationalError as error:
        log.info("what is left of a copy stays for now: %s", str(error).splitlines()[0])
        return False


def _remove_leftovers(cursor: Any) -> None:
    cursor.execute(
        "SELECT relname, relkind FROM pg_class WHERE relname ~ %s AND relkind IN ('r', 'S')"
        " AND pg_table_is_visible(oid) AND NOT relispartition",
        [f"^{table_of(STEP)}_[0-9]+_(sorted|writes)$"],
    )
    for name, kind in cursor.fetchall():
        cursor.execute(f"DROP {'TABLE' if kind == 'r' else 'SEQUENCE'} IF EXISTS {name}")
    cursor.execute(
        "SELECT tgname, tgrelid::regclass::text FROM pg_trigger t JOIN pg_class c ON c.oid = tgrelid"
        " WHERE tgname = %s AND pg_table_is_visible(c.oid)",
        [NOTE],
    )
    for trigger, table in cursor.fetchall():
        cursor.execute(f"DROP TRIGGER {trigger} ON {table}")


def _has_room(name: str) -> bool:
    folder = own_folder()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_total_relation_size(%s::regclass)", [name])
        (size,) = cursor.fetchone()
    return folder is None or shutil.disk_usage(folder).free > 2 * size


def _watch(name: str) -> None:
    """From here on every write is noted, by a sequence: what it counts stays, whatever becomes of the write."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL lock_timeout = {WAIT_MS}")
        cursor.execute(
            f"CREATE OR REPLACE FUNCTION {NOTE}() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN PERFORM nextval(TG_ARGV[0]::regclass); RETURN NULL; END $$"
        )
        cursor.execute(f"CREATE SEQUENCE {name}_writes")
        cursor.execute(
            f"CREATE TRIGGER {NOTE} AFTER INSERT OR UPDATE OR DELETE ON {name}"
            f" FOR EACH ROW EXECUTE FUNCTION {NOTE}('{name}_writes')"
        )


def _copy(name: str, partition: Partition) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        # Work in the background: it leaves the other cores and the disk's queue to those who wait.
        cursor.execute("SET LOCAL max_parallel_workers_per_gather = 0")
        cursor.execute("SET LOCAL synchronous_commit = off")
        cursor.execute(
            f"CREATE TABLE {name}_sorted (LIKE {name} INCLUDING DEFAULTS INCLUDING INDEXES) WITH ({partitions.STORAGE})"
        )
        # Said beforehand, so that it is not looked for while everybody waits.
        cursor.execute(
            f"ALTER TABLE {name}_sorted ADD CONSTRAINT within CHECK (t IS NOT NULL AND t >= %s AND t < %s)",
            [partition.lower, partition.upper],
        )
        cursor.execute(f"INSERT INTO {name}_sorted SELECT * FROM {name} ORDER BY monitor_id, group_id, t, node_id")
    with connection.cursor() as cursor:
        cursor.execute(f"ANALYZE {name}_sorted")


def _swap(name: str, partition: Partition) -> bool:
    """Put the copy in the place of the partition, unless that was written to. Readers wait for some milliseconds."""
    for _ in range(TRIES):
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(f"SET LOCAL lock_timeout = {WAIT_MS}")
                return _swap_at_once(cursor, name, partition)
        except OperationalError as error:
            # Somebody reads for long: who comes after us must not wait for him as well.
            log.info("%s: not now: %s", name, str(error).splitlines()[0])
    return False


def _swap_at_once(cursor: Any, name: str, partition: Partition) -> bool:
    parent = table_of(STEP)
    cursor.execute("SELECT pg_advisory_xact_lock(%s)", [partitions.LOCK])
    if not Partition.objects.filter(step=STEP, lower=partition.lower, dropped=None).exists():
        return False
    cursor.execute(f"LOCK TABLE {parent} IN ACCESS EXCLUSIVE MODE")
    cursor.execute(f"SELECT is_called FROM {name}_writes")
    if cursor.fetchone()[0]:
        log.info("%s was written to while it was sorted: another night", name)
        return False
    cursor.execute(f"ALTER TABLE {parent} DETACH PARTITION {name}")
    cursor.execute(f"DROP TABLE {name}")
    cursor.execute(f"DROP SEQUENCE {name}_writes")
    cursor.execute(f"ALTER TABLE {name}_sorted RENAME TO {name}")
    cursor.execute(
        f"ALTER TABLE {parent} ATTACH PARTITION {name} FOR VALUES FROM (%s) TO (%s)",
        [partition.lower, partition.upper],
    )
    cursor.execute(f"ALTER TABLE {name} DROP CONSTRAINT within")
    Partition.objects.filter(step=STEP, lower=partition.lower).update(sorted_at=timezone.now())
    log.info("%s is sorted by group and time", name)
    return True
