"""The samples tables follow the registry: a metric added there is a column here by makemigrations."""

from __future__ import annotations

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import connection, migrations, models
from django.db.migrations.autodetector import MigrationAutodetector
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.state import ModelState, ProjectState

from cstor.metrics.columns import BASES
from monitors.models import SAMPLES
from monitors.series import partitions
from monitors.series.tiers import STEPS, table_of
from tests.monitors.clock import NOW


def test_it_has_a_column_for_every_base() -> None:
    for step, model in SAMPLES.items():
        fields = {field.name: field for field in model._meta.fields}
        for base in BASES.values():
            kind = models.BinaryField if base.kind == "histogram" else models.BigIntegerField
            assert isinstance(fields[base.key], kind), f"{base.key} in samples of {step} s"
            assert fields[base.key].null


@pytest.mark.django_db
def test_it_has_migrations_for_all_models() -> None:
    call_command("makemigrations", "monitors", check=True, dry_run=True, verbosity=0)


@pytest.mark.django_db
def test_it_takes_a_new_metric_by_one_added_field_per_tier() -> None:
    loader = MigrationLoader(connection)
    before, after = loader.project_state(), ProjectState.from_apps(apps)
    for step in STEPS:
        after.models["monitors", f"sample{step}"] = _with(after.models["monitors", f"sample{step}"], "dns_requests")
    changes = MigrationAutodetector(before, after).changes(graph=loader.graph)
    (migration,) = changes["monitors"]
    assert {type(operation) for operation in migration.operations} == {migrations.AddField}
    assert len(migration.operations) == len(STEPS)

    partitions.ensure(60, [NOW])
    state = before
    with connection.schema_editor(atomic=True) as editor:
        for operation in migration.operations:
            new = state.clone()
            operation.state_forwards("monitors", new)
            operation.database_forwards("monitors", editor, state, new)
            state = new
    with connection.cursor() as cursor:
        partition = partitions.partition_name(60, NOW // 86_400 * 86_400)
        cursor.execute(f"SELECT dns_requests FROM {partition}")
        cursor.execute(f"SELECT dns_requests FROM {table_of(86_400)}")


def _with(model: ModelState, name: str) -> ModelState:
    clone = model.clone()
    clone.fields[name] = models.BigIntegerField(null=True)
    return clone


@pytest.mark.django_db
def test_it_is_partitioned_with_the_indexes_that_readers_use() -> None:
    with connection.cursor() as cursor:
        for step in STEPS:
            cursor.execute("SELECT relkind FROM pg_class WHERE relname = %s", [table_of(step)])
            assert cursor.fetchone() == ("p",)
            cursor.execute("SELECT indexname, indexdef FROM pg_indexes WHERE tablename = %s", [table_of(step)])
            found = dict(cursor.fetchall())
            assert "USING brin (t)" in found[f"samples_{step}_t"]
            assert "(monitor_id, group_id, t, node_id)" in found[f"samples_{step}_pkey"]
            assert (f"samples_{step}_rank" in found) == (step >= 600)
