"""Up to which change labels are resolved, the outermost place of each, look-ups of names, indexes over networks."""

from __future__ import annotations

import django.contrib.postgres.indexes
import django.db.models.deletion
from django.db import migrations, models

import monitors.models.label


class Migration(migrations.Migration):
    dependencies = [
        ("monitors", "0007_pull_rows_per_s"),
    ]

    operations = [
        migrations.AddField(
            model_name="labelrevision",
            name="resolved",
            field=models.IntegerField(default=0),
        ),
        migrations.AddField(
            model_name="location",
            name="top",
            field=models.ForeignKey(
                db_constraint=False,
                editable=False,
                null=True,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                to="monitors.location",
            ),
        ),
        migrations.AddField(
            model_name="namesettings",
            name="nameserver",
            field=models.CharField(
                blank=True,
                default="",
                help_text="Address of the DNS server, with :port where it is not 53. Empty: the machine's own.",
                max_length=100,
                validators=[monitors.models.label.validate_nameserver],
            ),
        ),
        migrations.AddField(
            model_name="namesettings",
            name="spent_until",
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AlterField(
            model_name="location",
            name="parent",
            field=models.ForeignKey(
                blank=True,
                help_text="The place that this one is a part of.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="children",
                to="monitors.location",
                verbose_name="lies in",
            ),
        ),
        migrations.AddIndex(
            model_name="locationnetwork",
            index=django.contrib.postgres.indexes.GistIndex(
                fields=["network"], name="location_network", opclasses=["inet_ops"]
            ),
        ),
        migrations.AddIndex(
            model_name="serviceendpoint",
            index=django.contrib.postgres.indexes.GistIndex(
                fields=["network"], name="service_network", opclasses=["inet_ops"]
            ),
        ),
    ]
