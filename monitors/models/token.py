"""API tokens: stored as hashes, shown once, with scopes. A token never allows more than its owner may do."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone

MARK = "ccl_"
PREFIX_LENGTH = len(MARK) + 6


class Scope(models.TextChoices):
    """What a token may be used for."""

    READ = "read", "Read nodes, monitors, dashboards and figures"
    WRITE = "write", "Change monitors, nodes, labels and dashboards"
    PACKETS = "packets", "Download packets"
    JOIN = "join", "Announce a capture node to a node group"


class ApiToken(models.Model):
    """One key of one user. The secret has 256 bits of its own, so a plain SHA-256 hides it well enough."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="api_tokens")
    name = models.CharField(max_length=80, help_text="What uses it, so that you know later what to revoke.")
    prefix = models.CharField(max_length=PREFIX_LENGTH, editable=False)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    scopes = ArrayField(models.CharField(max_length=10, choices=Scope.choices))
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"

    @classmethod
    def issue(
        cls, user: object, name: str, scopes: list[str], expires_at: datetime | None = None
    ) -> tuple[ApiToken, str]:
        """A new token and its secret, which is kept nowhere."""
        secret = MARK + secrets.token_urlsafe(32)
        token = cls.objects.create(
            user=user,
            name=name,
            prefix=secret[:PREFIX_LENGTH],
            digest=digest(secret),
            scopes=scopes,
            expires_at=expires_at,
        )
        return token, secret

    @classmethod
    def find(cls, secret: str, now: datetime) -> ApiToken | None:
        """The living token with this secret; notes its use, at most once a minute."""
        token = cls.objects.select_related("user").filter(digest=digest(secret), user__is_active=True).first()
        if token is None or (token.expires_at and token.expires_at <= now):
            return None
        if token.last_used_at is None or (now - token.last_used_at).total_seconds() > 60:
            cls.objects.filter(pk=token.pk).update(last_used_at=now)
        return token


def digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
