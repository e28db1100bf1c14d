"""Nodes that were found behind the address of a group; those that left their cluster are asked by no group."""

from __future__ import annotations

import django.db.models.deletion
from django.db import migrations, models

import monitors.nodes.certificate
import monitors.secrets

TARGET = """
CREATE OR REPLACE VIEW monitors_target AS
  SELECT monitor_id, node_id FROM monitors_monitor_nodes
  UNION
  SELECT m.monitor_id, n.node_id
  FROM monitors_monitor_groups m JOIN monitors_nodegroup_nodes n ON n.nodegroup_id = m.nodegroup_id
  UNION
  SELECT m.monitor_id, n.id
  FROM monitors_monitor_groups m JOIN monitors_nodegroup g ON g.id = m.nodegroup_id AND g.is_all
  CROSS JOIN monitors_node n
  WHERE {present}NOT EXISTS (SELECT 1 FROM monitors_capture c WHERE c.node_id = n.id)
"""


class Migration(migrations.Migration):
    dependencies = [
        ("monitors", "0005_labels_groups_secrets"),
    ]

    operations = [
        migrations.AddField(
            model_name="node",
            name="found_by",
            field=models.ForeignKey(
                editable=False,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="found",
                to="monitors.nodegroup",
            ),
        ),
        migrations.AddField(
            model_name="node",
            name="left_at",
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name="node",
            name="tls_name",
            field=models.CharField(
                blank=True,
                default="",
                help_text="Only where the certificate is for another name than the one in the URL: a node that is reached by its address, for example.",
                max_length=253,
                verbose_name="name in the certificate",
            ),
        ),
        migrations.AlterField(
            model_name="node",
            name="ca_certificate",
            field=models.TextField(
                blank=True,
                default="",
                help_text="PEM of your own authority, where the node's certificate is not from a public one.",
                validators=[monitors.nodes.certificate.validate_ca_certificate],
                verbose_name="CA certificate",
            ),
        ),
        migrations.AlterField(
            model_name="node",
            name="token",
            field=monitors.secrets.EncryptedTextField(
                blank=True,
                default="",
                help_text="Bearer token of the node; never shown again.",
                validators=[monitors.secrets.validate_token],
            ),
        ),
        migrations.AlterField(
            model_name="nodegroup",
            name="ca_certificate",
            field=models.TextField(
                blank=True,
                default="",
                help_text="PEM of your own authority, for nodes that are found or announce themselves.",
                validators=[monitors.nodes.certificate.validate_ca_certificate],
                verbose_name="CA certificate",
            ),
        ),
        migrations.AlterField(
            model_name="nodegroup",
            name="token",
            field=monitors.secrets.EncryptedTextField(
                blank=True,
                default="",
                help_text="Bearer token of nodes that are found.",
                validators=[monitors.secrets.validate_token],
            ),
        ),
        migrations.RunSQL(TARGET.format(present="n.left_at IS NULL AND "), TARGET.format(present="")),
    ]
