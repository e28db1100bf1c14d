"""Errors that commands answer with one line and no traceback."""

from __future__ import annotations

from cstor.config import ConfigError
from cstor.store.layout import StoreError
from wire.packets.capturefile import CaptureError


class UsageError(Exception):
    """The command was called wrongly."""


EXPECTED = (ConfigError, StoreError, CaptureError, OSError)
