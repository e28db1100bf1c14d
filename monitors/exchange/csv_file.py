"""Monitors as CSV, for spreadsheets: a column per field, lists with semicolons, thresholds as `metric amber red`.

A cell that begins with = + - @ would be run as a formula by a spreadsheet: an apostrophe is put before it, and taken
away when the file is read (OWASP, CSV injection).
"""

from __future__ import annotations

import csv
import re
from io import StringIO
from typing import Any

from monitors.exchange.document import DEFAULTS, FIELDS, Document
from monitors.exchange.entry import Entry, FileError

FORMULA = ("=", "+", "-", "@", "\t", "\r", "'")
_SPLIT = re.compile(r"(?<!\\);")


def write(documents: list[Document]) -> str:
    """The file, with a header."""
    out = StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(FIELDS)
    for found in documents:
        writer.writerow([harmless(_cell(found[name])) for name in FIELDS])
    return out.getvalue()


def read(text: str) -> list[Entry]:
    """Every row with its line. FileError if there is no header."""
    rows = csv.reader(StringIO(text.removeprefix("\ufeff"), newline=""), dialect=_dialect(text), strict=True)
    header: list[str] = []
    entries = []
    before = 0
    try:
        for row in rows:
            line, before = before + 1, rows.line_num
            if not any(cell.strip() for cell in row):
                continue
            if not header:
                header = [cell.strip().lower() for cell in row]
                if "name" not in header:
                    raise FileError(f"the first line names the columns, among them 'name': {','.join(FIELDS)}", line)
                continue
            entries.append(_entry(line, header, row))
    except csv.Error as error:
        raise FileError(f"this is not CSV: {error}", rows.line_num) from None
    if not header:
        raise FileError("the file is empty", 1)
    return entries


def _dialect(text: str) -> type[csv.Dialect]:
    """Spreadsheets of countries with a decimal comma separate cells by semicolons."""
    first = text.lstrip("\ufeff").partition("\n")[0]

    class Found(csv.excel):
        delimiter = ";" if first.count(";") > first.count(",") else "," if "\t" not in first else "\t"

    return Found


def _entry(line: int, header: list[str], row: list[str]) -> Entry:
    if len(row) > len(header):
        return Entry(line, {}, (f"has {len(row)} cells, but there are {len(header)} columns",))
    cells = {name: original(cell) for name, cell in zip(header, row, strict=False) if name}
    problems: list[str] = []
    found: Document = {}
    for name, cell in cells.items():
        try:
            found[name] = _value(name, cell)
        except ValueError as error:
            problems.append(f"{name}: {error}")
    return Entry(line, found, tuple(problems))


def harmless(cell: str) -> str:
    """A cell that no spreadsheet runs."""
    return f"'{cell}" if cell.startswith(FORMULA) else cell


def original(cell: str) -> str:
    """What was made harmless, as it was."""
    return cell[1:] if cell[:1] == "'" and cell[1:].startswith(FORMULA) else cell


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return "; ".join(f"{key} {amber!r} {red!r}" for key, (amber, red) in value.items())
    if isinstance(value, list):
        return "; ".join(str(one).replace("\\", "\\\\").replace(";", "\\;") for one in value)
    return str(value)


def _value(name: str, cell: str) -> Any:
    like = DEFAULTS.get(name)
    if isinstance(like, list):
        # A cell without semicolons that was written by hand may have commas.
        parts = _SPLIT.split(cell) if ";" in cell or name in ("nodes", "groups") else cell.split(",")
        return [re.sub(r"\\(.)", r"\1", word) for part in parts if (word := part.strip())]
    if isinstance(like, dict):
        return dict(_threshold(part) for part in cell.split(";") if part.strip())
    return cell


def _threshold(text: str) -> tuple[str, list[float]]:
    words = text.split()
    try:
        metric, amber, red = words
        return metric, [float(amber), float(red)]
    except ValueError:
        raise ValueError(f"write 'metric amber red', not {text.strip()[:60]!r}") from None
