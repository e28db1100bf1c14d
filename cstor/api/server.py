"""gunicorn around the API: one worker process with threads, which share the last minutes in memory.

The worker is the process that queries run in; the capturing process never does. Behind a capture the whole server ends
when its parent does.
"""

from __future__ import annotations

import ctypes
import os
import signal
from typing import Any

from gunicorn.app.base import BaseApplication
from gunicorn.util import import_app

from cstor.api.address import check_free
from cstor.config import ApiConfig, hand_to_api

THREADS = 8
PR_SET_PDEATHSIG = 1


class Server(BaseApplication):  # type: ignore[misc]
    """gunicorn with settings of ours instead of its command line and files."""

    def __init__(self, listen: str) -> None:
        self._listen = listen
        super().__init__()

    def load_config(self) -> None:
        settings: dict[str, Any] = {
            "bind": self._listen,
            "worker_class": "gthread",
            "workers": 1,
            "threads": THREADS,
            "timeout": 120,
            "graceful_timeout": 10,
            "keepalive": 30,
            "loglevel": "warning",
            "accesslog": None,
            "worker_tmp_dir": "/dev/shm" if os.access("/dev/shm", os.W_OK) else None,
            "control_socket_disable": True,
        }
        for name, value in settings.items():
            if name in self.cfg.settings:
                self.cfg.set(name, value)

    def load(self) -> Any:
        return import_app("cstor.api.wsgi:application")


def serve(config: ApiConfig) -> int:
    """Serve until told to stop; the exit status. ConfigError where the address cannot be had."""
    config.validate()
    check_free(config.listen)
    hand_to_api(config)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if config.captures:
        _die_with_parent()
    try:
        Server(config.listen).run()
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def _die_with_parent() -> None:
    """The kernel sends SIGTERM when the parent ends, however it ends (prctl(2)); it may have ended already."""
    parent = os.getppid()
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent or parent == 1:
        os.kill(os.getpid(), signal.SIGTERM)
