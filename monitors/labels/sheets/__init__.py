"""Labels as CSV, one file per kind: written whole, and read with a preview that names each change and each bad line."""

from __future__ import annotations

from monitors.labels.sheets.locations import LOCATIONS
from monitors.labels.sheets.names import NAMES
from monitors.labels.sheets.points import POINTS
from monitors.labels.sheets.protocols import PROTOCOLS
from monitors.labels.sheets.services import SERVICES
from monitors.labels.sheets.sheet import Sheet

SHEETS: dict[str, Sheet] = {sheet.key: sheet for sheet in (SERVICES, LOCATIONS, POINTS, PROTOCOLS, NAMES)}

__all__ = ["SHEETS", "Sheet"]
