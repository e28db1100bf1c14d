"""`manage.py keep_captures`: reads and serves uploaded captures until it is told to stop."""

from __future__ import annotations

import signal
import threading
from typing import Any

from django.core.management.base import BaseCommand

from monitors.captures.keeper import Keeper


class Command(BaseCommand):
    help = "Reads uploaded captures and serves their stores, until SIGTERM or SIGINT."

    def handle(self, *args: Any, **options: Any) -> None:
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        Keeper(stop.is_set).run()
