"""One batch of pulls: what is due of up to 64 monitors of one node, in one HTTP call and one transaction.

Whatever fails stays where it failed: a bad answer concerns its monitor only; if the transaction fails it is tried
again monitor by monitor; what arrived before a call broke off is kept. Errors end on the pull rows, with a back-off.
"""

from __future__ import annotations

import datetime as dt
import logging
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from operator import itemgetter
from typing import Any
from uuid import UUID

from django.db import DatabaseError, InterfaceError, OperationalError

from monitors.models import Node, Pull
from monitors.nodes import health
from monitors.nodes.client import NodeClient, NodeError
from monitors.pulls import backfill
from monitors.pulls.claim import LEASE_S, STATUS_EVERY_S, Lease, claim
from monitors.pulls.job import Item, Job
from monitors.pulls.normalize import told_revisions
from monitors.pulls.plan import STANDING_S, WINDOW_BUCKETS, Extent, State, merged_revisions, plan
from monitors.series import keep, partitions, write
from monitors.series.tiers import UTC
from monitors.series.write import Brought

MAX_QUERIES = 200
# Rows that one call may bring before the rest of its answer is left for the next: they are held in memory at once.
MAX_ROWS = 50_000
CHAIN_S = 20.0
# The newest window may reach back for so many buckets however many monitors there are.
HEAD_BUCKETS = 6

log = logging.getLogger(__name__)


@dataclass
class Result:
    """What became of a batch, for the log and for tests."""

    pulls: int = 0
    rows: int = 0
    failed: int = 0
    error: str = ""


def run(lease: Lease, clock: Callable[[], float] = time.time) -> list[Result]:
    """Pull a batch, then at once the next ones that are due on that node; a lease that nobody holds ends at once."""
    started, results = time.monotonic(), []
    leases = [lease]
    while leases:
        result = run_batch(leases.pop(), clock)
        if result is None:
            break
        results.append(result)
        if not result.error and time.monotonic() - started < CHAIN_S:
            leases = claim(clock(), lease.node_id)
    return results


def run_batch(lease: Lease, clock: Callable[[], float] = time.time) -> Result | None:
    """One HTTP call and its transaction; None if the lease is not, or no longer, ours."""
    now = clock()
    pulls = _leased(lease, now)
    if not pulls:
        return None
    node, result = pulls[0].node, Result(pulls=len(pulls))
    if _status_is_old(node, now):
        result.error = health.check(node, now)
        node.refresh_from_db()
    started = time.monotonic()
    jobs = _jobs(node, pulls, now)
    if not result.error:
        result.error = _fetch(node, jobs, now)
        _note_health(node, jobs, result.error, now)
    for job in jobs if result.error else ():
        job.refuse(result.error)
    took_ms = round(1000 * (time.monotonic() - started))
    _store(lease, [job.brought(took_ms, clock()) for job in jobs], clock(), result)
    result.failed = sum(bool(job.error) for job in jobs)
    return result


def _status_is_old(node: Node, now: float) -> bool:
    """Whether to ask for the status before planning: it was never told, or by it the node stands still."""
    asked_at = node.status.get("asked_at", 0)
    stands = node.complete is None or node.complete < now - STANDING_S
    return stands and now - asked_at > STATUS_EVERY_S


def _leased(lease: Lease, now: float) -> list[Pull]:
    moment = dt.datetime.fromtimestamp(now, UTC)
    held = Pull.objects.filter(node_id=lease.node_id, lease=lease.lease, lease_until__gt=moment)
    pulls = list(held.select_related("monitor").order_by("monitor_id"))
    if pulls:
        # Its status is long: read once, not with each of the pulls.
        node = Node.objects.get(pk=lease.node_id)
        for pull in pulls:
            pull.node = node
    return pulls


def _jobs(node: Node, pulls: Sequence[Pull], now: float) -> list[Job]:
    """Plans of all pulls; the older windows that this batch may ask for are shared out in order."""
    extent = Extent(node.oldest, node.newest_bucket, node.complete, max(0, (node.skew_ms or 0) // 1000))
    told = told_revisions(node.status.get("revisions"))
    budget = _budget(pulls)
    jobs = _planned(pulls, extent, told, now, budget)
    if not any(job.plan.older for job in jobs):
        backfill.TURNS.skip(node.pk)
    elif not backfill.may_ask(node.pk, *_wait(pulls, now), now):
        jobs = _planned(pulls, extent, told, now, 0)
    return jobs


def _planned(pulls: Sequence[Pull], extent: Extent, told: dict[str, int], now: float, budget: int) -> list[Job]:
    jobs, head = [], _head_buckets(pulls)
    for pull in pulls:
        revisions = merged_revisions(pull.revisions, told, pull.covered, (), ())
        state = State(pull.covered, pull.lost, pull.frozen, revisions, pull.probed, pull.stale)
        found = plan(state, extent, now, pull.monitor.resolution, 0 if pull.failures else budget, head)
        budget = max(0, budget - found.older)
        jobs.append(Job(pull, found, told))
    return jobs


def _head_buckets(pulls: Sequence[Pull]) -> int:
    """How far back the newest windows may reach, so that one call brings those of all: after an outage everybody has
    the present soon, and what is older is history like any other."""
    rows = sum(2 * pull.monitor.top_n + 2 if pull.monitor.keys else 1 for pull in pulls)
    return max(HEAD_BUCKETS, min(WINDOW_BUCKETS, MAX_ROWS // rows))


def _budget(pulls: Sequence[Pull]) -> int:
    slowest_ms = max((pull.took_ms or 0 for pull in pulls), default=0)
    heads = sum(2 if "host" in pull.monitor.keys else 1 for pull in pulls)
    return backfill.windows_of(slowest_ms, len(pulls), heads, MAX_QUERIES)


def _wait(pulls: Sequence[Pull], now: float) -> tuple[UUID, float]:
    """The batch's lease, and how long it waited for a worker since a tick claimed it."""
    lease, until = pulls[0].lease, pulls[0].lease_until
    assert lease is not None
    assert until is not None
    return lease, now - (until.timestamp() - LEASE_S)


def _fetch(node: Node, jobs: Sequence[Job], now: float) -> str:
    """Ask everything in one call and hand the answers to their jobs; the error of the call as a whole, or nothing."""
    keep.refresh([job.monitor for job in jobs], now)
    asked = _asked(jobs)
    if not asked:
        return ""
    open_queries = {query["id"]: (job, item) for job, item, query in asked}
    client, error, rows, heads = NodeClient(node), "", 0, sum(job.head_queries for job in jobs if not job.error)
    give_up = time.monotonic() + backfill.BACKFILL_S
    is_full = False
    try:
        for answer in client.series([query for *_, query in asked], as_arrays=True):
            if (entry := open_queries.pop(str(answer.get("id")), None)) is not None:
                job, item = entry
                rows += job.take(*item, answer, now)
            is_full = rows > MAX_ROWS or (len(asked) - len(open_queries) >= heads and time.monotonic() > give_up)
            if is_full:
                break
    except NodeError as problem:
        error = str(problem)
    if len(open_queries) == len(asked):
        return error or "answered nothing that can be read as series"
    _settle(open_queries.values(), error, is_full)
    return ""


def _asked(jobs: Sequence[Job]) -> list[tuple[Job, Item, dict[str, Any]]]:
    """Queries of all jobs, the newest window of each before all older ones: those may be cut off."""
    ranked = [(number >= job.head_queries, job, *pair) for job in jobs for number, pair in enumerate(job.queries())]
    ranked.sort(key=itemgetter(0))
    return [
        (job, item, {"id": str(number), "encoding": "packed", **query})
        for number, (_, job, item, query) in enumerate(ranked)
    ]


def _settle(unanswered: Iterable[tuple[Job, Item]], error: str, is_full: bool) -> None:
    """What got no answer: an error of its job, unless that has its newest window; the rest is asked for again."""
    for job, _ in unanswered:
        if is_full or (error and job.answers()):
            job.is_cut = True
        else:
            job.fail(error or "the node sent no readable answer for this monitor")


def _note_health(node: Node, jobs: Sequence[Job], error: str, now: float) -> None:
    if error:
        health.failed(node.pk, error, now)
        return
    ends = [answer.complete_until for job in jobs for _, answer in job.answers()]
    if ends:
        health.answered(node.pk, max(ends), now)


def _store(lease: Lease, brought: Sequence[Brought], now: float, result: Result) -> None:
    """All at once; if the database refuses that, one by one, so that the culprit is found and the others stand."""
    try:
        write.prepare(brought)
        result.rows += write.store(lease.node_id, lease.lease, brought, now).rows
        return
    except (OperationalError, InterfaceError):
        raise
    except DatabaseError as error:
        log.warning("a batch of %d pulls failed as a whole, now one by one: %s", len(brought), error)
    partitions.forget()
    for one in brought:
        try:
            write.prepare([one])
            result.rows += write.store(lease.node_id, lease.lease, [one], now).rows
        except (OperationalError, InterfaceError):
            raise
        except DatabaseError as error:
            text = f"the database refused the rows: {str(error).splitlines()[0]}"
            write.store(lease.node_id, lease.lease, [replace(one, answers=(), quiet=(), error=text)], now)
