"""A migration operation: CreateModel, but the table is partitioned by time.

Partitions are made on demand by `monitors.series.partitions`; a column or index added to the parent by a later,
ordinary migration follows in every partition.
"""

from __future__ import annotations

from typing import Any

from django.db import migrations


class CreatePartitionedModel(migrations.CreateModel):
    """CREATE TABLE ... PARTITION BY RANGE (t), with the indexes of the model's Meta."""

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        model = to_state.apps.get_model(app_label, self.name)
        if not self.allow_migrate_model(schema_editor.connection.alias, model):
            return
        sql, params = schema_editor.table_sql(model)
        schema_editor.execute(f"{sql} PARTITION BY RANGE (t)", params or None)
        for index in model._meta.indexes:
            schema_editor.add_index(model, index)

    def describe(self) -> str:
        return f"Create partitioned model {self.name}"
