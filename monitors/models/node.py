"""A cStor node that monitors pull from, and what is known of its health."""

from __future__ import annotations

from urllib.parse import urlsplit

from django.core.exceptions import ValidationError
from django.db import models

from monitors.nodes.certificate import validate_ca_certificate
from monitors.secrets import EncryptedTextField, validate_token


def validate_http_url(value: str) -> None:
    """http(s)://HOST[:PORT][/path]; any host name, since nodes often have none with a dot."""
    try:
        parts = urlsplit(value)
        ok = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
        ok = ok and "\\" not in value  # requests takes what stands before it for the host, urlsplit what stands behind
    except ValueError:
        ok = False
    if not ok:
        raise ValidationError("Write it as http://HOST:PORT or https://HOST:PORT, for example http://127.0.0.1:8801")


class Origin(models.TextChoices):
    """How a node came to be known."""

    ADDED = "added", "Added by hand"
    FOUND = "found", "Found behind the address of its group"
    ANNOUNCED = "announced", "Announced itself"


class Node(models.Model):
    """One cStor API endpoint. Its failures open a breaker: until `retry_at` nobody is sent there.

    A node that was found behind its group's address has the group's token and TLS settings (`found_by`); `left_at` says
    since when the address stands for it no more: it keeps its history, and no group asks it.
    """

    id = models.AutoField(primary_key=True)
    name = models.CharField(max_length=100, unique=True)
    url = models.CharField(
        "URL",
        max_length=500,
        validators=[validate_http_url],
        help_text="Where the node's API listens, for example http://127.0.0.1:8801",
    )
    token = EncryptedTextField(
        blank=True,
        default="",
        validators=[validate_token],
        help_text="Bearer token of the node; never shown again.",
    )
    verify_tls = models.BooleanField("verify TLS certificate", default=True)
    ca_certificate = models.TextField(
        "CA certificate",
        blank=True,
        default="",
        validators=[validate_ca_certificate],
        help_text="PEM of your own authority, where the node's certificate is not from a public one.",
    )
    tls_name = models.CharField(
        "name in the certificate",
        max_length=253,
        blank=True,
        default="",
        help_text="Only where the certificate is for another name than the one in the URL: a node that is reached by"
        " its address, for example.",
    )
    origin = models.CharField(max_length=10, choices=Origin, default=Origin.ADDED, editable=False)
    found_by = models.ForeignKey(
        "monitors.NodeGroup", on_delete=models.SET_NULL, null=True, editable=False, related_name="found"
    )
    left_at = models.DateTimeField(null=True, editable=False)
    enabled = models.BooleanField(default=True)

    status = models.JSONField(default=dict, blank=True, editable=False)
    checked_at = models.DateTimeField(null=True, editable=False)
    last_seen = models.DateTimeField(null=True, editable=False)
    error = models.TextField(blank=True, editable=False)
    failures = models.IntegerField(default=0, editable=False)
    retry_at = models.DateTimeField(null=True, editable=False)
    skew_ms = models.IntegerField(null=True, editable=False)
    complete_until = models.BigIntegerField(null=True, editable=False)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return f"/nodes/{self.pk}/"

    @property
    def oldest(self) -> int | None:
        """Epoch second from which on the node knows anything, as it said last."""
        known = [self._told(name) for name in ("kept_from", "oldest_bucket")]
        return min((second for second in known if second is not None), default=None)

    @property
    def newest_bucket(self) -> int | None:
        return self._told("newest_bucket")

    @property
    def complete(self) -> int | None:
        """Up to where it is complete, by its status or by the newest answer to a pull; None if its status is silent."""
        told = self._told("complete_until")
        return told if told is None else max(told, self.complete_until or 0)

    def _told(self, name: str) -> int | None:
        value = self.status.get(name)
        return int(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
