"""Groups of nodes: a monitor that asks a group asks whoever is a member at that moment.

Whom a monitor asks is the view `monitors_target` (monitor_id, node_id): its own nodes, the members of its groups, and
every node where one of its groups is of all nodes (but those that left their cluster). Nothing else decides it.
"""

from __future__ import annotations

from django.db import models

from monitors.models.node import Node, validate_http_url
from monitors.nodes.certificate import validate_ca_certificate
from monitors.secrets import EncryptedTextField, validate_token


class NodeGroup(models.Model):
    """Nodes under one name. Members are added by hand, announce themselves, or are found behind `address`, of which
    the host name is resolved again and again: every address that it stands for is a node."""

    id = models.AutoField(primary_key=True)
    name = models.CharField(max_length=100, unique=True)
    description = models.TextField(blank=True, default="")
    is_all = models.BooleanField("all nodes", default=False, help_text="Every node is a member, new ones too.")
    nodes = models.ManyToManyField(Node, blank=True, related_name="groups")
    address = models.CharField(
        max_length=500,
        blank=True,
        default="",
        validators=[validate_http_url],
        help_text="URL of the cluster, for example http://cstor.internal:8811: each address that its host name"
        " resolves to becomes a member.",
    )
    token = EncryptedTextField(
        blank=True, default="", validators=[validate_token], help_text="Bearer token of nodes that are found."
    )
    verify_tls = models.BooleanField("verify TLS certificate", default=True)
    ca_certificate = models.TextField(
        "CA certificate",
        blank=True,
        default="",
        validators=[validate_ca_certificate],
        help_text="PEM of your own authority, for nodes that are found or announce themselves.",
    )
    looked_at = models.DateTimeField(null=True, editable=False)
    error = models.TextField(blank=True, default="", editable=False)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return f"/nodes/groups/{self.pk}/"


class Target(models.Model):
    """A row of the view: this monitor asks this node."""

    pk = models.CompositePrimaryKey("monitor_id", "node_id")
    monitor = models.ForeignKey("monitors.Monitor", on_delete=models.DO_NOTHING, related_name="targets")
    node = models.ForeignKey(Node, on_delete=models.DO_NOTHING, related_name="targets")

    class Meta:
        managed = False
        db_table = "monitors_target"
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.monitor_id} asks {self.node_id}"
