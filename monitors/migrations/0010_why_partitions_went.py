"""Partitions that were removed tell why, and how much that freed."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("monitors", "0009_samples_by_monitor"),
    ]

    operations = [
        migrations.AddField(
            model_name="partition",
            name="freed",
            field=models.BigIntegerField(null=True),
        ),
        migrations.AddField(
            model_name="partition",
            name="why",
            field=models.TextField(db_default="", default=""),
        ),
    ]
