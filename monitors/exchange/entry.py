"""One monitor as a file has it, before anything is checked but its types."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from monitors.exchange.document import DEFAULTS, FIELDS, Document

# Django takes 2.5 MB of form fields, in which the file comes back to be applied.
MOST_BYTES = 2 << 20
MOST_ENTRIES = 5000


class FileError(ValueError):
    """A file that cannot be read as a list of monitors; `line` counts from 1."""

    def __init__(self, message: str, line: int = 1) -> None:
        super().__init__(message)
        self.line = line

    def __str__(self) -> str:
        return f"line {self.line}: {self.args[0]}"


@dataclass(frozen=True)
class Entry:
    """What stands from `line` on; `lines` has that of each field, where the file tells."""

    line: int
    found: Document
    problems: tuple[str, ...] = ()
    lines: dict[str, int] = field(default_factory=dict)

    def where(self, name: str) -> str:
        """How a problem with this field begins."""
        label = "" if name not in FIELDS else f"{name}: "
        return f"line {self.lines[name]}: {label}" if name in self.lines else label

    def typed(self) -> tuple[Document, list[str]]:
        """The fields in their types, and what has another one or is no field."""
        out: Document = {}
        problems = list(self.problems)
        for name, value in self.found.items():
            if name not in DEFAULTS:
                problems.append(f"{self.where(name)}'{name}' is no field; fields are: {', '.join(FIELDS)}")
                continue
            try:
                out[name] = _typed(value, DEFAULTS[name])
            except ValueError as error:
                problems.append(f"{self.where(name)}{error}")
        return out, problems


def _typed(value: Any, like: Any) -> Any:
    if isinstance(like, bool):
        return _yes_or_no(value)
    if isinstance(like, str):
        if value is not None and not isinstance(value, str | int | float):
            raise ValueError("is text")
        return "" if value is None else str(value)
    if isinstance(like, int):
        if isinstance(value, bool) or not str(value).strip().isdigit():
            raise ValueError(f"is a whole number, not {str(value)[:40]!r}")
        return int(value)
    if isinstance(like, dict):
        if value is not None and not isinstance(value, dict):
            raise ValueError("is a map of metric to [amber, red]")
        return value or {}
    return _listed(value, like)


def _listed(value: Any, like: Any) -> list[Any]:
    parts = value.split(",") if isinstance(value, str) else value or []
    if not isinstance(parts, list) or not all(isinstance(part, str | int | float) for part in parts):
        raise ValueError("is a list")
    words = [text for part in parts if (text := str(part).strip())]
    if like and isinstance(like[0], int):
        if not all(word.isdigit() for word in words):
            raise ValueError("is a list of whole numbers")
        return [int(word) for word in words]
    return words


def _yes_or_no(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    word = str(value).strip().lower()
    if word not in ("yes", "no", "true", "false", "on", "off", "1", "0"):
        raise ValueError(f"is yes or no, not {str(value)[:40]!r}")
    return word in ("yes", "true", "on", "1")
