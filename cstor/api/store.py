"""The store that this API process serves; one process serves one store."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings


def store_dir() -> Path:
    """Root folder of the served store."""
    return Path(settings.CSTOR.store)
