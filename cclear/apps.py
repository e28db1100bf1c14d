"""The console as a Django app: its Celery app and its system checks are loaded with it."""

from __future__ import annotations

from django.apps import AppConfig


class ClearConfig(AppConfig):
    name = "cclear"
    verbose_name = "cClear"

    def ready(self) -> None:
        # shared_task finds its app, whichever process this is; the checks register themselves.
        from cclear import celery, checks  # noqa: F401
