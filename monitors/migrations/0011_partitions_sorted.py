"""Partitions that were rewritten in the order of groups say when."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("monitors", "0010_why_partitions_went"),
    ]

    operations = [
        migrations.AddField(
            model_name="partition",
            name="sorted_at",
            field=models.DateTimeField(null=True),
        ),
    ]
