"""Dashboards by service, location, monitoring point and protocol, as data."""

from __future__ import annotations

from typing import Any

from django.db import migrations

from dashboards.builtin.load import load


def forwards(apps: Any, schema_editor: Any) -> None:
    load(apps)


class Migration(migrations.Migration):
    dependencies = [("dashboards", "0003_capture_health")]
    operations = [migrations.RunPython(forwards, migrations.RunPython.noop)]
