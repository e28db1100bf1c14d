"""The monitors app: nodes, monitors, pulls and the samples they bring."""

from __future__ import annotations

from django.apps import AppConfig
from django.db.models.signals import m2m_changed, post_migrate


class MonitorsConfig(AppConfig):
    name = "monitors"
    verbose_name = "Monitors"
    # Sample rows carry monitor and node as int4; that many are never made.
    default_auto_field = "django.db.models.AutoField"

    def ready(self) -> None:
        from django.contrib.auth import get_user_model

        from monitors import access, checks  # noqa: F401 - the checks register themselves
        from monitors.labels import changes
        from wire.registry import autodiscover

        autodiscover("monitors.kinds")
        changes.connect()
        post_migrate.connect(access.grant_roles_after_migrate, dispatch_uid="monitors.access.grant_roles")
        m2m_changed.connect(
            access.open_admin_for_roles,
            sender=get_user_model().groups.through,
            dispatch_uid="monitors.access.open_admin",
        )
