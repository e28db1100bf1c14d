"""Labels, groups of nodes, saved filters, retention of the site; tokens of nodes are encrypted from here on."""

from __future__ import annotations

from typing import Any

import django.contrib.postgres.fields
import django.core.validators
import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

import monitors.fields
import monitors.models.monitor
import monitors.models.node
import monitors.secrets
from monitors.secrets import encrypt

# Whom a monitor asks: its own nodes, those of its groups, and all where a group is of all. A node that serves an
# uploaded capture is asked by the capture's own monitor only.
TARGET = """
CREATE VIEW monitors_target AS
  SELECT monitor_id, node_id FROM monitors_monitor_nodes
  UNION
  SELECT m.monitor_id, n.node_id
  FROM monitors_monitor_groups m JOIN monitors_nodegroup_nodes n ON n.nodegroup_id = m.nodegroup_id
  UNION
  SELECT m.monitor_id, n.id
  FROM monitors_monitor_groups m JOIN monitors_nodegroup g ON g.id = m.nodegroup_id AND g.is_all
  CROSS JOIN monitors_node n WHERE NOT EXISTS (SELECT 1 FROM monitors_capture c WHERE c.node_id = n.id)
"""
ALL_NODES = "All nodes"
OF_NODES = ("capture_health", "links")


def fill(apps: Any, schema_editor: Any) -> None:
    """The rows that there is one of, tokens encrypted, and the monitors of the nodes themselves ask all nodes."""
    for name in ("LabelRevision", "Retention", "NameSettings"):
        apps.get_model("monitors", name).objects.get_or_create(pk=1)
    for node in apps.get_model("monitors", "Node").objects.all():
        # The column still holds plain text, which the field cannot decrypt: it is read past it.
        with schema_editor.connection.cursor() as cursor:
            cursor.execute("SELECT token FROM monitors_node WHERE id = %s", [node.pk])
            cursor.execute(
                "UPDATE monitors_node SET token = %s WHERE id = %s", [encrypt(cursor.fetchone()[0]), node.pk]
            )
    group, _ = apps.get_model("monitors", "NodeGroup").objects.get_or_create(name=ALL_NODES, is_all=True)
    for monitor in apps.get_model("monitors", "Monitor").objects.filter(kind__in=OF_NODES):
        monitor.groups.add(group)
        monitor.nodes.clear()


class Migration(migrations.Migration):
    dependencies = [
        ("monitors", "0004_capture_health"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Target",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "monitor_id", "node_id", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
            ],
            options={
                "db_table": "monitors_target",
                "managed": False,
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="Application",
            fields=[
                ("id", models.AutoField(primary_key=True, serialize=False)),
                ("name", models.CharField(max_length=100, unique=True)),
                ("description", models.CharField(blank=True, default="", max_length=200)),
                (
                    "weight",
                    models.IntegerField(default=100, help_text="Of two that fit equally well the lower one wins."),
                ),
            ],
            options={
                "verbose_name": "protocol",
                "ordering": ["name"],
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="HostName",
            fields=[
                ("address", models.GenericIPAddressField(primary_key=True, serialize=False)),
                ("name", models.CharField(blank=True, max_length=253)),
                (
                    "source",
                    models.CharField(
                        choices=[("imported", "Imported"), ("dns", "Reverse DNS")], default="imported", max_length=10
                    ),
                ),
                ("seen", models.DateTimeField(default=django.utils.timezone.now)),
                ("expires", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "verbose_name": "host name",
                "ordering": ["address"],
            },
        ),
        migrations.CreateModel(
            name="LabelRevision",
            fields=[
                ("id", models.SmallIntegerField(default=1, primary_key=True, serialize=False)),
                ("revision", models.IntegerField(default=1)),
            ],
            options={
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="NameSettings",
            fields=[
                ("id", models.SmallIntegerField(default=1, editable=False, primary_key=True, serialize=False)),
                (
                    "reverse_dns",
                    models.BooleanField(
                        default=False,
                        help_text="Tells your resolver which addresses you look at.",
                        verbose_name="look up names by reverse DNS",
                    ),
                ),
                (
                    "per_second",
                    models.IntegerField(
                        default=10,
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(1000),
                        ],
                        verbose_name="look-ups per second",
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "name settings",
            },
        ),
        migrations.CreateModel(
            name="Service",
            fields=[
                ("id", models.AutoField(primary_key=True, serialize=False)),
                ("name", models.CharField(max_length=100, unique=True)),
                ("description", models.CharField(blank=True, default="", max_length=200)),
                (
                    "weight",
                    models.IntegerField(default=100, help_text="Of two that fit equally well the lower one wins."),
                ),
            ],
            options={
                "ordering": ["name"],
                "abstract": False,
            },
        ),
        migrations.AddField(
            model_name="monitor",
            name="description",
            field=models.TextField(blank=True, default="", help_text="What it is for: shown where it is chosen."),
        ),
        migrations.AddField(
            model_name="monitor",
            name="steps",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.IntegerField(),
                blank=True,
                default=monitors.models.monitor.default_steps,
                help_text="Which roll-ups it keeps above its resolution, in seconds.",
                size=None,
                verbose_name="coarser steps",
            ),
        ),
        migrations.AddField(
            model_name="monitor",
            name="tags",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(max_length=40), blank=True, default=list, size=None
            ),
        ),
        migrations.AddField(
            model_name="monitor",
            name="thresholds",
            field=models.JSONField(
                blank=True,
                default=dict,
                help_text="Metric -> [amber, red], in the metric's own unit; what is not named has the default.",
            ),
        ),
        migrations.AddField(
            model_name="node",
            name="ca_certificate",
            field=models.TextField(
                blank=True,
                default="",
                help_text="PEM of your own authority, where the node's certificate is not from a public one.",
                verbose_name="CA certificate",
            ),
        ),
        migrations.AddField(
            model_name="node",
            name="origin",
            field=models.CharField(
                choices=[
                    ("added", "Added by hand"),
                    ("found", "Found behind the address of its group"),
                    ("announced", "Announced itself"),
                ],
                default="added",
                editable=False,
                max_length=10,
            ),
        ),
        migrations.AddField(
            model_name="pull",
            name="stale",
            field=monitors.fields.Int8MultiRangeField(db_default=(), default=()),
        ),
        migrations.AlterField(
            model_name="apitoken",
            name="scopes",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(
                    choices=[
                        ("read", "Read nodes, monitors, dashboards and figures"),
                        ("write", "Change monitors, nodes, labels and dashboards"),
                        ("packets", "Download packets"),
                        ("join", "Announce a capture node to a node group"),
                    ],
                    max_length=10,
                ),
                size=None,
            ),
        ),
        migrations.AlterField(
            model_name="node",
            name="token",
            field=monitors.secrets.EncryptedTextField(
                blank=True, default="", help_text="Bearer token of the node; never shown again."
            ),
        ),
        migrations.CreateModel(
            name="ApplicationPort",
            fields=[
                ("id", models.AutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("protocol", models.SmallIntegerField(choices=[(6, "TCP"), (17, "UDP")], default=6)),
                (
                    "port_from",
                    models.IntegerField(
                        validators=[
                            django.core.validators.MinValueValidator(0),
                            django.core.validators.MaxValueValidator(65535),
                        ]
                    ),
                ),
                (
                    "port_to",
                    models.IntegerField(
                        blank=True,
                        null=True,
                        validators=[
                            django.core.validators.MinValueValidator(0),
                            django.core.validators.MaxValueValidator(65535),
                        ],
                    ),
                ),
                (
                    "application",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="ports", to="monitors.application"
                    ),
                ),
            ],
            options={
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="Location",
            fields=[
                ("id", models.AutoField(primary_key=True, serialize=False)),
                ("name", models.CharField(max_length=100, unique=True)),
                ("description", models.CharField(blank=True, default="", max_length=200)),
                (
                    "weight",
                    models.IntegerField(default=100, help_text="Of two that fit equally well the lower one wins."),
                ),
                (
                    "parent",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="children",
                        to="monitors.location",
                    ),
                ),
            ],
            options={
                "ordering": ["name"],
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="LocationNetwork",
            fields=[
                ("id", models.AutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("network", monitors.fields.CidrField(help_text="An address or a network, for example 10.2.0.0/16")),
                (
                    "location",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="networks", to="monitors.location"
                    ),
                ),
            ],
            options={
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="NodeGroup",
            fields=[
                ("id", models.AutoField(primary_key=True, serialize=False)),
                ("name", models.CharField(max_length=100, unique=True)),
                ("description", models.TextField(blank=True, default="")),
                (
                    "is_all",
                    models.BooleanField(
                        default=False, help_text="Every node is a member, new ones too.", verbose_name="all nodes"
                    ),
                ),
                (
                    "address",
                    models.CharField(
                        blank=True,
                        default="",
                        help_text="URL of the cluster, for example http://cstor.internal:8811: each address that its host name resolves to becomes a member.",
                        max_length=500,
                        validators=[monitors.models.node.validate_http_url],
                    ),
                ),
                (
                    "token",
                    monitors.secrets.EncryptedTextField(
                        blank=True, default="", help_text="Bearer token of nodes that are found."
                    ),
                ),
                ("verify_tls", models.BooleanField(default=True, verbose_name="verify TLS certificate")),
                ("ca_certificate", models.TextField(blank=True, default="", verbose_name="CA certificate")),
                ("looked_at", models.DateTimeField(editable=False, null=True)),
                ("error", models.TextField(blank=True, default="", editable=False)),
                ("nodes", models.ManyToManyField(blank=True, related_name="groups", to="monitors.node")),
            ],
            options={
                "ordering": ["name"],
            },
        ),
        migrations.AddField(
            model_name="monitor",
            name="groups",
            field=models.ManyToManyField(
                blank=True,
                help_text="New members join by themselves.",
                related_name="monitors",
                to="monitors.nodegroup",
                verbose_name="node groups",
            ),
        ),
        migrations.CreateModel(
            name="Point",
            fields=[
                ("id", models.AutoField(primary_key=True, serialize=False)),
                ("name", models.CharField(max_length=100, unique=True)),
                ("description", models.CharField(blank=True, default="", max_length=200)),
                (
                    "weight",
                    models.IntegerField(default=100, help_text="Of two that fit equally well the lower one wins."),
                ),
                (
                    "vni",
                    models.IntegerField(
                        blank=True,
                        null=True,
                        validators=[django.core.validators.MinValueValidator(0)],
                        verbose_name="VNI",
                    ),
                ),
                (
                    "vlan",
                    models.SmallIntegerField(
                        blank=True,
                        null=True,
                        validators=[django.core.validators.MinValueValidator(0)],
                        verbose_name="VLAN",
                    ),
                ),
                (
                    "node",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="points",
                        to="monitors.node",
                    ),
                ),
            ],
            options={
                "ordering": ["name"],
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="Retention",
            fields=[
                ("id", models.SmallIntegerField(default=1, editable=False, primary_key=True, serialize=False)),
                (
                    "days_1",
                    models.IntegerField(
                        default=2,
                        help_text="After they were written.",
                        validators=[django.core.validators.MinValueValidator(1)],
                        verbose_name="days of 1 second",
                    ),
                ),
                (
                    "days_10",
                    models.IntegerField(
                        default=7,
                        help_text="After they were written.",
                        validators=[django.core.validators.MinValueValidator(1)],
                        verbose_name="days of 10 seconds",
                    ),
                ),
                (
                    "days_60",
                    models.IntegerField(
                        default=30,
                        help_text="After they were written.",
                        validators=[django.core.validators.MinValueValidator(1)],
                        verbose_name="days of 1 minute",
                    ),
                ),
                (
                    "days_600",
                    models.IntegerField(
                        default=180,
                        help_text="After they were written.",
                        validators=[django.core.validators.MinValueValidator(1)],
                        verbose_name="days of 10 minutes",
                    ),
                ),
                (
                    "days_3600",
                    models.IntegerField(
                        default=1100,
                        help_text="After they were written.",
                        validators=[django.core.validators.MinValueValidator(1)],
                        verbose_name="days of 1 hour",
                    ),
                ),
                (
                    "days_86400",
                    models.IntegerField(
                        default=3650,
                        help_text="After they were written.",
                        validators=[django.core.validators.MinValueValidator(1)],
                        verbose_name="days of 1 day",
                    ),
                ),
                (
                    "budget_gb",
                    models.FloatField(
                        blank=True,
                        help_text="Of all samples. Empty: 20 GB, or half of the disk's free space where that is less.",
                        null=True,
                        validators=[django.core.validators.MinValueValidator(0.1)],
                        verbose_name="budget in GB",
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "retention",
                "constraints": [models.CheckConstraint(condition=models.Q(("id", 1)), name="one_retention")],
            },
        ),
        migrations.CreateModel(
            name="SavedFilter",
            fields=[
                ("id", models.AutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=100, unique=True)),
                (
                    "filter",
                    models.TextField(help_text="As tcpdump takes it, for example: net 10.0.0.0/8 and tcp port 443"),
                ),
                ("description", models.CharField(blank=True, default="", max_length=200)),
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
            ],
            options={
                "ordering": ["name"],
            },
        ),
        migrations.CreateModel(
            name="ServiceEndpoint",
            fields=[
                ("id", models.AutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("network", monitors.fields.CidrField(help_text="An address or a network, for example 10.2.0.0/16")),
                ("protocol", models.SmallIntegerField(blank=True, choices=[(6, "TCP"), (17, "UDP")], null=True)),
                (
                    "port_from",
                    models.IntegerField(
                        blank=True,
                        null=True,
                        validators=[
                            django.core.validators.MinValueValidator(0),
                            django.core.validators.MaxValueValidator(65535),
                        ],
                    ),
                ),
                (
                    "port_to",
                    models.IntegerField(
                        blank=True,
                        null=True,
                        validators=[
                            django.core.validators.MinValueValidator(0),
                            django.core.validators.MaxValueValidator(65535),
                        ],
                    ),
                ),
                (
                    "service",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="endpoints", to="monitors.service"
                    ),
                ),
            ],
            options={
                "default_permissions": (),
            },
        ),
        migrations.RunSQL(TARGET, "DROP VIEW monitors_target"),
        migrations.RunPython(fill, migrations.RunPython.noop),
    ]
