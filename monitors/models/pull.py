"""What was pulled, what waits for a roll-up, and when nodes were watching: the truth behind every sample.

All sets are of epoch seconds. `covered` and the sample rows change in one transaction, so a message that is lost,
doubled or late changes nothing: what counts is what is covered.
"""

from __future__ import annotations

from django.db import models

from monitors.fields import Int8MultiRangeField
from monitors.models.monitor import Monitor
from monitors.models.node import Node


class Pull(models.Model):
    """State of one monitor on one node.

    `frozen`: stretches whose rows retention removed from the base tier; rows that came now could not be folded.
    `probed`: long gaps that were looked over, so that only what has traffic is missing there. `revisions` maps an hour
    (epoch second of its start, as text) to [the node's revision that was pulled, the newest that the node told]; where
    they differ the hour is pulled anew. `refused` counts rows dated after tomorrow. `stale`: covered stretches that
    somebody asked to be pulled again under the present definition; they are replaced one by one, the newest first.
    `rows_per_s` at `last_run`: what came counts in full at once and half after 42 s, so it is about the last minute.
    """

    pk = models.CompositePrimaryKey("monitor_id", "node_id")
    monitor = models.ForeignKey(Monitor, on_delete=models.CASCADE, related_name="pulls", db_index=False)
    node = models.ForeignKey(Node, on_delete=models.CASCADE, related_name="pulls", db_index=False)
    covered = Int8MultiRangeField(default=(), db_default=())
    lost = Int8MultiRangeField(default=(), db_default=())
    frozen = Int8MultiRangeField(default=(), db_default=())
    probed = Int8MultiRangeField(default=(), db_default=())
    stale = Int8MultiRangeField(default=(), db_default=())
    revisions = models.JSONField(default=dict, db_default={})
    next_run = models.DateTimeField()
    lease = models.UUIDField(null=True)
    lease_until = models.DateTimeField(null=True)
    failures = models.IntegerField(default=0, db_default=0)
    error = models.TextField(default="", db_default="")
    took_ms = models.IntegerField(null=True)
    last_run = models.DateTimeField(null=True)
    rows = models.BigIntegerField(default=0, db_default=0)
    refused = models.BigIntegerField(default=0, db_default=0)
    rows_per_s = models.FloatField(default=0.0, db_default=0.0)

    # Whether its monitor still asks this node; who lists pulls says so (monitors.pulls.status).
    is_asked = True

    class Meta:
        db_table = "monitors_pull"
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.monitor_id} from {self.node_id}"

    @property
    def complete_until(self) -> int | None:
        """End of the newest covered stretch, epoch seconds."""
        return self.covered[-1][1] if self.covered else None


class Rollup(models.Model):
    """A run of a tier that may differ from its source, to be folded once `due`."""

    pk = models.CompositePrimaryKey("monitor_id", "step", "run")
    monitor_id = models.IntegerField()
    step = models.IntegerField()
    run = models.BigIntegerField()
    due = models.DateTimeField()

    class Meta:
        db_table = "monitors_rollup"
        default_permissions = ()


class Observed(models.Model):
    """When every source of a node was capturing: a missing row is 0 where covered and observed, else a gap."""

    node = models.OneToOneField(Node, on_delete=models.CASCADE, primary_key=True, related_name="observed")
    observed = Int8MultiRangeField(default=())

    class Meta:
        db_table = "monitors_observed"
        default_permissions = ()


class Partition(models.Model):
    """A time partition of one tier. `last_write` is what retention ages by, so a capture of 1999 read today stays;
    the row outlives the partition and says when it was dropped, for what reason, and how many bytes that freed."""

    pk = models.CompositePrimaryKey("step", "lower")
    step = models.IntegerField()
    lower = models.DateTimeField()
    upper = models.DateTimeField()
    last_write = models.DateTimeField()
    dropped = models.DateTimeField(null=True)
    why = models.TextField(default="", db_default="")
    freed = models.BigIntegerField(null=True)
    sorted_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "monitors_partition"
        default_permissions = ()
