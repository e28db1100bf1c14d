"""What a report format is. One file beside this one per format; the file's name is its key, found by discovery."""

from __future__ import annotations

from typing import ClassVar

from dashboards.reports.document import Document
from wire.registry import Registry


class ReportFormat:
    """Turns a Document into a file. `fine`: it wants as many points as an answer may have, not what a screen shows."""

    key: ClassVar[str]
    label: ClassVar[str]
    description: ClassVar[str]
    extension: ClassVar[str]
    content_type: ClassVar[str]
    fine: ClassVar[bool] = False

    def render(self, document: Document) -> bytes:
        raise NotImplementedError


FORMATS: Registry[ReportFormat] = Registry("report format")


def register(kind: type[ReportFormat]) -> type[ReportFormat]:
    """Class decorator: adds one instance under the class's key."""
    FORMATS.add(kind.key, kind())
    return kind
