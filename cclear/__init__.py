"""cClear: the console. Settings, URLs, Celery, and what starts and keeps its processes."""

from __future__ import annotations

__version__ = "0.1.0"
