"""What is known of the node's state from its files: the same facts for healthz, status and metrics."""

from __future__ import annotations

import json
import os
import time
from functools import cache
from typing import Any

from django.conf import settings

from cstor.api.readers import live_tail
from cstor.api.store import store_dir
from cstor.diskuse import DiskUse
from cstor.store.catalog import all_segments
from cstor.store.layout import LIVE, SECOND_NS
from cstor.store.snapshot import take_snapshot

KILLS_SHOWN = 20
STALE_S = 10.0  # a capture that has not written its status for so long does not capture


def capture_status() -> dict[str, Any] | None:
    """What the capturing process wrote last, with its age; None where nothing ever captured into this store."""
    try:
        found: dict[str, Any] = json.loads((store_dir() / LIVE / "status.json").read_text())
        return found
    except (OSError, ValueError):
        return None


def trouble() -> str | None:
    """Why this node should get no questions; None while it captures or serves."""
    root = store_dir()
    if not os.access(root / LIVE, os.R_OK | os.X_OK):
        return f"the store {root} cannot be read"
    if not settings.CSTOR.captures:
        return None
    found = capture_status()
    if found is None:
        return "the capture has not started yet"
    age = time.time() - found["written"]
    if age > STALE_S:
        return f"the capture has not reported for {age:.0f} s"
    problem = found.get("problem")
    return str(problem) if problem else None


def disk_use() -> dict[str, Any]:
    """Bytes and files by dataset, and what is free; counted anew beside the calls, every ten seconds."""
    return _disk().now()


@cache
def _disk() -> DiskUse:
    return DiskUse(store_dir())


def extent() -> dict[str, Any]:
    """Oldest and newest packet and bucket, in epoch seconds; null where there are none."""
    snapshot = take_snapshot(store_dir(), live_tail())
    first = last = None
    for segment in all_segments(store_dir()):
        first = segment.first_ns if first is None else min(first, segment.first_ns)
        last = segment.last_ns if last is None else max(last, segment.last_ns)
    newest = snapshot.newest
    return {
        "oldest_packet": None if first is None else first / SECOND_NS,
        "newest_packet": None if last is None else last / SECOND_NS,
        "oldest_bucket": snapshot.oldest,
        "newest_bucket": newest,
        "kept_from": snapshot.kept_from,
        "complete_until": snapshot.complete_until or None,
        "observed": snapshot.observed,
        "revisions": {str(hour): n for hour, n in snapshot.ledger.revisions.items()},
        "kills": [{"complete_until": t, "open_flows": flows} for t, flows in snapshot.ledger.kills[-KILLS_SHOWN:]],
    }
