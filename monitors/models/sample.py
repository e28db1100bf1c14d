"""The samples: one table per step, partitioned by time, its columns made from the metric registry.

A metric added to the registry follows by `makemigrations`. Written only by `monitors.series` (write, rollup,
retention), read for panels only by `monitors.series.read`. A sum of 0 is NULL; a row that exists has seen traffic.

`node_id`: in a monitor's base tier always the node. In the tiers folded from it the total (group 0) stays per node,
groups are folded over the nodes into node 0, unless the monitor keeps the key `node`.
"""

from __future__ import annotations

from typing import Any

from django.contrib.postgres.indexes import BrinIndex
from django.db import models

from cstor.metrics.columns import HISTOGRAMS, SCALARS
from monitors.series.tiers import STEPS, table_of

# The dozen sums that groups are ranked by: held in the index of the folded tiers, so ranking leaves the heap alone.
RANKED = (
    "bytes_client",
    "bytes_server",
    "packets_client",
    "packets_server",
    "retransmissions_client",
    "retransmissions_server",
    "attempts",
    "established",
    "refused",
    "unreachable",
    "unanswered",
    "half_open",
    "client_aborted",
)
COVERING_STEPS = (600, 3600, 86_400)


def _model(step: int) -> type[models.Model]:
    indexes: list[models.Index] = [
        BrinIndex(fields=["t"], pages_per_range=32, autosummarize=True, name=f"samples_{step}_t")
    ]
    if step in COVERING_STEPS:
        indexes.append(
            models.Index(fields=["monitor_id", "t"], include=["group_id", *RANKED], name=f"samples_{step}_rank")
        )
    else:
        # All groups of one monitor in a stretch that no tier has folded yet. By BRIN that would read every monitor's
        # rows, by the primary key all times of this one's. Equal entries are stored once: some 8 bytes a row.
        indexes.append(models.Index(fields=["monitor_id", "t"], name=f"samples_{step}_part"))
    attributes: dict[str, Any] = {
        "__module__": __name__,
        "__doc__": f"Samples of {step} s.",
        "Meta": type("Meta", (), {"db_table": table_of(step), "indexes": indexes, "default_permissions": ()}),
        "pk": models.CompositePrimaryKey("monitor_id", "group_id", "t", "node_id"),
        "monitor_id": models.IntegerField(),
        "group_id": models.BigIntegerField(),
        "t": models.DateTimeField(),
        "node_id": models.IntegerField(),
    }
    attributes |= {base.key: models.BigIntegerField(null=True) for base in SCALARS}
    attributes |= {base.key: models.BinaryField(null=True) for base in HISTOGRAMS}
    return type(f"Sample{step}", (models.Model,), attributes)


SAMPLES: dict[int, type[models.Model]] = {step: _model(step) for step in STEPS}
globals().update({model.__name__: model for model in SAMPLES.values()})  # importable by name, as models should be
