"""System checks: what is configured wrongly, with an id and what to do. `manage.py check` and every start run them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import connection


@register(Tags.security, deploy=True)
def https_is_said(**options: Any) -> Sequence[CheckMessage]:
    loopback = {"localhost", "127.0.0.1", "[::1]"}
    if settings.HTTPS or set(settings.ALLOWED_HOSTS) <= loopback:
        return []
    return [
        Warning(
            "ALLOWED_HOSTS opens cClear beyond this machine without TLS.",
            hint="Put a proxy that ends TLS in front of it and set HTTPS=yes.",
            id="cclear.W001",
        )
    ]


@register(Tags.database)
def postgresql_is_new_enough(databases: Sequence[str] | None = None, **options: Any) -> Sequence[CheckMessage]:
    """Multiranges came with PostgreSQL 14, what the partitions need with 15."""
    if not databases:
        return []
    with connection.cursor():
        version = connection.connection.server_version
    if version >= 150_000:
        return []
    return [
        Error(
            f"PostgreSQL {version // 10_000} is too old.",
            hint="Point DATABASE_URL at PostgreSQL 15 or newer, or leave it empty for the private one.",
            id="cclear.E001",
        )
    ]
