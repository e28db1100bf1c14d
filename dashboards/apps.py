"""The dashboards app: panel kinds and report formats are found, not listed."""

from __future__ import annotations

from django.apps import AppConfig
from django.db.models.signals import post_migrate

from wire.registry import autodiscover


class DashboardsConfig(AppConfig):
    name = "dashboards"
    verbose_name = "Dashboards"
    default_auto_field = "django.db.models.AutoField"

    def ready(self) -> None:
        from dashboards.builtin.load import restore
        from dashboards.panels.panel import PANELS
        from dashboards.reports.formats.format import FORMATS

        post_migrate.connect(restore, sender=self)
        autodiscover("dashboards.panels")
        autodiscover("dashboards.reports.formats")
        PANELS.freeze()
        FORMATS.freeze()
