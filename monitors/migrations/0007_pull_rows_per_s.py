# How many rows a pull brought over the last minute.

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("monitors", "0006_found_nodes")]

    operations = [
        migrations.AddField("pull", "rows_per_s", models.FloatField(default=0.0, db_default=0.0)),
    ]
