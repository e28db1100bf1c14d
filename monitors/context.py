"""What every page of the console shows besides its own."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from monitors.access import allows
from monitors.nodes import alarm


def node_alarms(request: HttpRequest) -> dict[str, Any]:
    """`node_alarms`: called by the template that shows them, so answers without a banner ask nothing."""

    def found() -> alarm.Alarms | None:
        return alarm.current() if allows(request.user, "view") else None

    return {"node_alarms": found}
