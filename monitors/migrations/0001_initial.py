"""Nodes, monitors, pull state and the roles of the console. The samples tables follow in 0002."""

from __future__ import annotations

from typing import Any

import django.contrib.postgres.fields
import django.core.validators
import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.contrib.auth.management import create_permissions
from django.db import migrations, models

import monitors.fields
import monitors.models.monitor
import monitors.models.node
from monitors import access


def create_roles(apps: Any, schema_editor: Any) -> None:
    """Groups viewer, operator and admin. Django makes permissions only after the last migration: ours are wanted now."""
    app = apps.get_app_config("monitors")
    app.models_module = True
    create_permissions(app, apps=apps, verbosity=0)
    app.models_module = None
    access.grant_roles(apps)


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]

    operations = [
        migrations.CreateModel(
            name="Node",
            fields=[
                ("id", models.AutoField(primary_key=True, serialize=False)),
                ("name", models.CharField(max_length=100, unique=True)),
                (
                    "url",
                    models.CharField(
                        help_text="Where the node's API listens, for example http://127.0.0.1:8801",
                        max_length=500,
                        validators=[monitors.models.node.validate_http_url],
                        verbose_name="URL",
                    ),
                ),
                (
                    "token",
                    models.CharField(
                        blank=True, help_text="Bearer token of the node; never shown again.", max_length=500
                    ),
                ),
                ("verify_tls", models.BooleanField(default=True, verbose_name="verify TLS certificate")),
                ("enabled", models.BooleanField(default=True)),
                ("status", models.JSONField(blank=True, default=dict, editable=False)),
                ("checked_at", models.DateTimeField(editable=False, null=True)),
                ("last_seen", models.DateTimeField(editable=False, null=True)),
                ("error", models.TextField(blank=True, editable=False)),
                ("failures", models.IntegerField(default=0, editable=False)),
                ("retry_at", models.DateTimeField(editable=False, null=True)),
                ("skew_ms", models.IntegerField(editable=False, null=True)),
                ("complete_until", models.BigIntegerField(editable=False, null=True)),
            ],
            options={
                "ordering": ["name"],
            },
        ),
        migrations.CreateModel(
            name="Partition",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "step", "lower", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("step", models.IntegerField()),
                ("lower", models.DateTimeField()),
                ("upper", models.DateTimeField()),
                ("last_write", models.DateTimeField()),
                ("dropped", models.DateTimeField(null=True)),
            ],
            options={
                "db_table": "monitors_partition",
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="Rollup",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "monitor_id", "step", "run", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("monitor_id", models.IntegerField()),
                ("step", models.IntegerField()),
                ("run", models.BigIntegerField()),
                ("due", models.DateTimeField()),
            ],
            options={
                "db_table": "monitors_rollup",
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="Group",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "monitor_id", "id", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("monitor_id", models.IntegerField()),
                ("id", models.BigIntegerField()),
                ("revision", models.IntegerField()),
                ("client_ip", models.GenericIPAddressField(null=True)),
                ("server_ip", models.GenericIPAddressField(null=True)),
                ("client_net", monitors.fields.CidrField(null=True)),
                ("server_net", monitors.fields.CidrField(null=True)),
                ("host", models.GenericIPAddressField(null=True)),
                ("server_port", models.IntegerField(null=True)),
                ("protocol", models.SmallIntegerField(null=True)),
                ("vni", models.IntegerField(null=True)),
                ("vlan", models.SmallIntegerField(null=True)),
                ("is_copy", models.BooleanField(null=True)),
                ("extra", models.JSONField(null=True)),
                ("service_id", models.IntegerField(null=True)),
                ("client_location_id", models.IntegerField(null=True)),
                ("server_location_id", models.IntegerField(null=True)),
                ("point_id", models.IntegerField(null=True)),
                ("application_id", models.IntegerField(null=True)),
                ("labels_revision", models.IntegerField(db_default=0, default=0)),
                ("first_seen", models.DateTimeField()),
            ],
            options={
                "db_table": "monitors_group",
                "default_permissions": (),
                "indexes": [
                    models.Index(fields=["client_ip"], name="group_client_ip"),
                    models.Index(fields=["server_ip"], name="group_server_ip"),
                    models.Index(fields=["host"], name="group_host"),
                ],
            },
        ),
        migrations.CreateModel(
            name="Monitor",
            fields=[
                ("id", models.AutoField(primary_key=True, serialize=False)),
                ("name", models.CharField(max_length=100, unique=True)),
                ("slug", models.SlugField(blank=True, max_length=100, unique=True)),
                ("kind", models.CharField(default="network_health", max_length=50)),
                ("config", models.JSONField(blank=True, default=dict)),
                (
                    "filter",
                    models.TextField(
                        blank=True,
                        help_text="As tcpdump takes it, for example: net 10.0.0.0/8 and tcp port 443. Empty: all traffic.",
                    ),
                ),
                (
                    "keys",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=20),
                        blank=True,
                        default=monitors.models.monitor.default_keys,
                        size=None,
                    ),
                ),
                (
                    "resolution",
                    models.IntegerField(choices=[(1, "1 second"), (10, "10 seconds"), (60, "1 minute")], default=10),
                ),
                (
                    "interval_s",
                    models.IntegerField(
                        default=10,
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(86400),
                        ],
                        verbose_name="pulled every (seconds)",
                    ),
                ),
                (
                    "top_n",
                    models.IntegerField(
                        default=50,
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(1000),
                        ],
                        verbose_name="top N groups",
                    ),
                ),
                ("enabled", models.BooleanField(default=True)),
                ("revision", models.IntegerField(default=1, editable=False)),
                ("keep", models.JSONField(blank=True, default=list, editable=False)),
                ("keep_at", models.DateTimeField(editable=False, null=True)),
                ("created", models.DateTimeField(auto_now_add=True)),
                ("changed", models.DateTimeField(auto_now=True)),
                (
                    "created_by",
                    models.ForeignKey(
                        blank=True,
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("nodes", models.ManyToManyField(blank=True, related_name="monitors", to="monitors.node")),
            ],
            options={
                "ordering": ["name"],
                "permissions": [
                    ("view_console", "May look at dashboards, monitors and nodes"),
                    ("operate_console", "May create and edit monitors, nodes and dashboards"),
                    ("administer_console", "May manage users and the console itself"),
                    ("download_packets", "May download packets"),
                ],
            },
        ),
        migrations.CreateModel(
            name="Observed",
            fields=[
                (
                    "node",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="observed",
                        serialize=False,
                        to="monitors.node",
                    ),
                ),
                ("observed", monitors.fields.Int8MultiRangeField(default=())),
            ],
            options={
                "db_table": "monitors_observed",
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="Pull",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "monitor_id", "node_id", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("covered", monitors.fields.Int8MultiRangeField(db_default=(), default=())),
                ("lost", monitors.fields.Int8MultiRangeField(db_default=(), default=())),
                ("frozen", monitors.fields.Int8MultiRangeField(db_default=(), default=())),
                ("probed", monitors.fields.Int8MultiRangeField(db_default=(), default=())),
                ("revisions", models.JSONField(db_default={}, default=dict)),
                ("next_run", models.DateTimeField()),
                ("lease", models.UUIDField(null=True)),
                ("lease_until", models.DateTimeField(null=True)),
                ("failures", models.IntegerField(db_default=0, default=0)),
                ("error", models.TextField(db_default="", default="")),
                ("took_ms", models.IntegerField(null=True)),
                ("last_run", models.DateTimeField(null=True)),
                ("rows", models.BigIntegerField(db_default=0, default=0)),
                ("refused", models.BigIntegerField(db_default=0, default=0)),
                (
                    "monitor",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="pulls",
                        to="monitors.monitor",
                    ),
                ),
                (
                    "node",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="pulls",
                        to="monitors.node",
                    ),
                ),
            ],
            options={
                "db_table": "monitors_pull",
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="Definition",
            fields=[
                ("id", models.AutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("revision", models.IntegerField()),
                ("definition", models.JSONField()),
                ("since", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "monitor",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="definitions", to="monitors.monitor"
                    ),
                ),
            ],
            options={
                "ordering": ["-revision"],
                "default_permissions": (),
                "constraints": [
                    models.UniqueConstraint(fields=("monitor", "revision"), name="one_definition_per_revision")
                ],
            },
        ),
        # Pull rows change every few seconds: with room on their page the updates stay out of the index.
        migrations.RunSQL("ALTER TABLE monitors_pull SET (fillfactor = 50)", migrations.RunSQL.noop),
        migrations.RunPython(create_roles, migrations.RunPython.noop),
    ]
