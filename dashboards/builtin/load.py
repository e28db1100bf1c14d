"""The built-in dashboards: JSON files beside this one, loaded into the database by migrations.

A later version that changes a file adds a migration that calls `load` again: panels are replaced, ids of dashboards
stay, so that links go on working.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from django.apps import apps as installed

FOLDER = Path(__file__).resolve().parent


def files() -> list[Path]:
    return sorted(FOLDER.glob("*.json"))


def restore(sender: Any, apps: Any = installed, **kwargs: Any) -> None:
    """After `migrate` and `flush`: an emptied database gets its built-in dashboards back."""
    if sender.label != "dashboards":
        return
    try:
        dashboard_model = apps.get_model("dashboards", "Dashboard")
        apps.get_model("dashboards", "Panel")
    except LookupError:
        return
    if not dashboard_model.objects.filter(builtin=True).exists():
        load(apps)


def load(apps: Any) -> None:
    """Write every built-in dashboard; `apps` is the migration's or Django's own registry of models."""
    dashboard_model, panel_model = apps.get_model("dashboards", "Dashboard"), apps.get_model("dashboards", "Panel")
    for path in files():
        data = json.loads(path.read_text())
        panels = data.pop("panels")
        dashboard, _ = dashboard_model.objects.update_or_create(slug=path.stem, defaults=data | {"builtin": True})
        dashboard.panels.all().delete()
        panel_model.objects.bulk_create(
            panel_model(dashboard=dashboard, position=number, **panel) for number, panel in enumerate(panels)
        )
