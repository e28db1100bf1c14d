"""A cStor node that monitors pull from, and what is known of its health."""

from __future__ import annotations

from urllib.parse import urlsplit

from django.core.exceptions import ValidationError
from django.db import models


def validate_http_url(value: str) -> None:
    """http(s)://HOST[:PORT][/path]; any host name, since nodes often have none with a dot."""
    try:
        parts = urlsplit(value)
        ok = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        ok = False
    if not ok:
        raise ValidationError("Write it as http://HOST:PORT or https://HOST:PORT, for example http://127.0.0.1:8801")


class Node(models.Model):
    """One cStor API endpoint. Its failures open a breaker: until `retry_at` nobody is sent there."""

    id = models.AutoField(primary_key=True)
    name = models.CharField(max_length=100, unique=True)
    url = models.CharField(
        "URL",
        max_length=500,
        validators=[validate_http_url],
        help_text="Where the node's API listens, for example http://127.0.0.1:8801",
    )
    token = models.CharField(max_length=500, blank=True, help_text="Bearer token of the node; never shown again.")
    verify_tls = models.BooleanField("verify TLS certificate", default=True)
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
    def oldest_bucket(self) -> int | None:
        """Epoch second of the oldest bucket the node said it has."""
        return _second(self.status.get("oldest_bucket"))

    @property
    def newest_bucket(self) -> int | None:
        return _second(self.status.get("newest_bucket"))


def _second(value: object) -> int | None:
    return int(value) if isinstance(value, int | float) else None
