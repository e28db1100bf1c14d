"""The dashboards app: panel kinds and report formats are found, not listed."""

from __future__ import annotations

from django.apps import AppConfig

from wire.registry import autodiscover


class DashboardsConfig(AppConfig):
    name = "dashboards"
    verbose_name = "Dashboards"
    default_auto_field = "django.db.models.AutoField"

    def ready(self) -> None:
        from dashboards.panels.panel import PANELS
        from dashboards.reports.formats.format import FORMATS

        autodiscover("dashboards.panels")
        autodiscover("dashboards.reports.formats")
        PANELS.freeze()
        FORMATS.freeze()
