"""What a sample row is about: the values of a monitor's keys, under a number that follows from them.

id: 0 total, 1 other, else the first 8 bytes of BLAKE2b over revision and keys (`monitors.series.groups`): no look-up,
no sequence, no race between workers. Rows with id 0 and 1 are not stored here; their keys are all null.
"""

from __future__ import annotations

from django.db import models

from monitors.fields import CidrField


class Group(models.Model):
    """NULL means not kept, or none: the monitor's keys tell which. The label columns belong to labels, which resolve
    on groups and come later."""

    pk = models.CompositePrimaryKey("monitor_id", "id")
    monitor_id = models.IntegerField()
    id = models.BigIntegerField()
    revision = models.IntegerField()
    client_ip = models.GenericIPAddressField(null=True)
    server_ip = models.GenericIPAddressField(null=True)
    client_net = CidrField(null=True)
    server_net = CidrField(null=True)
    host = models.GenericIPAddressField(null=True)
    server_port = models.IntegerField(null=True)
    protocol = models.SmallIntegerField(null=True)
    vni = models.IntegerField(null=True)
    vlan = models.SmallIntegerField(null=True)
    is_copy = models.BooleanField(null=True)
    source = models.TextField(null=True)  # noqa: DJ001 - NULL is none, as of all keys
    thread = models.TextField(null=True)  # noqa: DJ001 - NULL is none, as of all keys
    reason = models.TextField(null=True)  # noqa: DJ001 - NULL is none, as of all keys
    extra = models.JSONField(null=True)
    service_id = models.IntegerField(null=True)
    client_location_id = models.IntegerField(null=True)
    server_location_id = models.IntegerField(null=True)
    point_id = models.IntegerField(null=True)
    application_id = models.IntegerField(null=True)
    labels_revision = models.IntegerField(default=0, db_default=0)
    first_seen = models.DateTimeField()

    class Meta:
        db_table = "monitors_group"
        default_permissions = ()
        indexes = [
            models.Index(fields=["client_ip"], name="group_client_ip"),
            models.Index(fields=["server_ip"], name="group_server_ip"),
            models.Index(fields=["host"], name="group_host"),
        ]

    def __str__(self) -> str:
        return f"{self.monitor_id}/{self.id}"


GROUP_KEYS = (
    "client_ip",
    "server_ip",
    "client_net",
    "server_net",
    "host",
    "server_port",
    "protocol",
    "vni",
    "vlan",
    "is_copy",
    "source",
    "thread",
    "reason",
)
