"""The version that nodes and commands report."""

from __future__ import annotations

VERSION = "0.1.0"
