"""Monitors as files over HTTP: what the export renders, and what the import takes."""

from __future__ import annotations

from typing import Any

from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer

from monitors.exchange.entry import MOST_BYTES
from monitors.exchange.plan import write


class YamlFile(BaseRenderer):
    """Monitors, or a problem in one line, as YAML."""

    media_type = "application/yaml"
    format = "yaml"

    def render(self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None) -> bytes:
        return _rendered(data, self.format)


class CsvFile(BaseRenderer):
    """Monitors, or a problem in one line, as CSV."""

    media_type = "text/csv"
    format = "csv"

    def render(self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None) -> bytes:
        return _rendered(data, self.format)


def _rendered(data: Any, form: str) -> bytes:
    if isinstance(data, list):
        return write(data, form).encode()
    detail = data.get("detail", data) if isinstance(data, dict) else data
    return f"# {detail}\n".encode()


class YamlText(BaseParser):
    """The body as text."""

    media_type = "application/yaml"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        return _text(stream)


class CsvText(YamlText):
    """The body as text."""

    media_type = "text/csv"


def _text(stream: Any) -> str:
    body = stream.read(MOST_BYTES + 1)
    if len(body) > MOST_BYTES:
        raise ParseError(f"The file has more than {MOST_BYTES >> 20} MB.")
    try:
        return str(body.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise ParseError("The file is not UTF-8 text.") from None
