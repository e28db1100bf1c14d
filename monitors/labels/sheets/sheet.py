"""What all sheets share: text -> lines -> what each object is to be -> plan of changes -> saved in one transaction.

A label may take several lines, one for each of its networks or ports; those of one name belong together. What a sheet
has no column for stays as it is. Nothing is written while a line is wrong.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction

from monitors.labels.resolve import raise_revision

MAX_LINES = 100_000
Part = tuple[Any, ...]


class BadCell(Exception):
    """What is wrong with a line, in words."""


@dataclass(frozen=True)
class Problem:
    line: int
    message: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.message}" if self.line else self.message


@dataclass
class Wanted:
    """What one object is to be: `fields` that the sheet names, and its parts (networks, ports)."""

    line: int
    fields: dict[str, Any] = field(default_factory=dict)
    parts: list[Part] = field(default_factory=list)
    said: dict[str, int] = field(default_factory=dict)


@dataclass
class Plan:
    """What an import would do. Nothing of it is done while there are problems."""

    new: dict[str, Wanted] = field(default_factory=dict)
    changed: dict[str, Wanted] = field(default_factory=dict)
    unchanged: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    notes: dict[str, str] = field(default_factory=dict)

    @property
    def does_something(self) -> bool:
        return bool(self.new or self.changed or self.removed) and not self.problems

    def to_json(self) -> dict[str, Any]:
        return {
            "new": list(self.new),
            "changed": [{"name": name, "what": self.notes.get(name, "")} for name in self.changed],
            "unchanged": len(self.unchanged),
            "removed": self.removed,
            "problems": [{"line": problem.line, "message": problem.message} for problem in self.problems],
        }


class Sheet:
    """One kind. `columns` in the order they are written; the first names the object."""

    key: str
    title: str
    noun: str
    columns: tuple[str, ...]
    needed: tuple[str, ...]
    example: str

    def read(self, text: str) -> tuple[dict[str, Wanted], list[Problem]]:
        """What the text wants; lines that are wrong are told, all of them at once."""
        rows, problems = cells_of(text, self.columns, self.needed)
        wanted: dict[str, Wanted] = {}
        for line, cells in rows:
            try:
                self._take(wanted, line, cells)
            except BadCell as error:
                problems.append(Problem(line, str(error)))
        return wanted, problems

    def _take(self, wanted: dict[str, Wanted], line: int, cells: Mapping[str, str]) -> None:
        name = self.name_of(cells)
        fields, parts = self.parse(cells)
        one = wanted.setdefault(name, Wanted(line))
        for key, value in fields.items():
            if cells.get(key, "") == "" and key in one.said:
                continue
            before = one.said.get(key)
            if before is not None and one.fields[key] != value:
                raise BadCell(f"{key} of {name} is another than on line {before}")
            one.fields[key] = value
            if cells.get(key, "") != "":
                one.said[key] = line
        doubled = [part for part in parts if part in one.parts]
        if doubled:
            raise BadCell(f"{name} has {self.part_text(doubled[0])} twice")
        one.parts += parts

    def name_of(self, cells: Mapping[str, str]) -> str:
        name = cells[self.columns[0]]
        if not name:
            raise BadCell(f"the {self.columns[0]} is missing")
        if len(name) > 100:
            raise BadCell(f"the {self.columns[0]} is longer than 100 characters")
        return name

    def plan(self, text: str, remove_missing: bool = False) -> Plan:
        """What importing the text would change; with `remove_missing` what it does not name goes."""
        wanted, problems = self.read(text)
        stored = self.stored()
        problems += self.check(wanted, stored, remove_missing)
        plan = Plan(problems=sorted(problems, key=lambda problem: problem.line))
        for name, one in wanted.items():
            if name not in stored:
                plan.new[name] = one
            elif note := self.difference(stored[name], one):
                plan.changed[name], plan.notes[name] = one, note
            else:
                plan.unchanged.append(name)
        if remove_missing:
            plan.removed = [name for name in stored if name not in wanted]
        if not wanted and not problems:
            plan.problems = [Problem(0, "There is no line to import: paste CSV or choose a file.")]
        return plan

    def apply(self, text: str, remove_missing: bool = False) -> Plan:
        """Import, all or nothing; the plan that was carried out, or the problems for which it was not."""
        with transaction.atomic():
            plan = self.plan(text, remove_missing)
            if plan.does_something:
                self.save(plan)
                self.saved()
        return plan

    def saved(self) -> None:
        """What follows from a change, in the same transaction."""
        raise_revision()

    def difference(self, stored: Wanted, wanted: Wanted) -> str:
        """What of a stored object an import changes, in words; "" for nothing."""
        words = [
            f"{key} {self.value_text(stored.fields[key])} → {self.value_text(value)}"
            for key, value in wanted.fields.items()
            if stored.fields.get(key) != value
        ]
        for sign, parts, others in (("+", wanted.parts, stored.parts), ("-", stored.parts, wanted.parts)):
            words += [f"{sign} {self.part_text(part)}" for part in parts if part not in others]
        return ", ".join(words)

    def export(self) -> str:
        """All objects as CSV that imports as no change."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(self.columns)
        for name, one in self.stored().items():
            for cells in self.lines(name, one):
                writer.writerow([_defused(str(cells.get(column, ""))) for column in self.columns])
        return out.getvalue()

    def value_text(self, value: Any) -> str:
        return "none" if value in (None, "") else str(value)

    def check(self, wanted: dict[str, Wanted], stored: dict[str, Wanted], remove_missing: bool) -> list[Problem]:
        """What is wrong with the whole."""
        return []

    def parse(self, cells: Mapping[str, str]) -> tuple[dict[str, Any], list[Part]]:
        """Fields and parts of one line; BadCell for what cannot be."""
        raise NotImplementedError

    def part_text(self, part: Part) -> str:
        return " ".join(str(value) for value in part if value is not None)

    def lines(self, name: str, one: Wanted) -> Iterable[dict[str, Any]]:
        """The cells of each line that an object takes."""
        raise NotImplementedError

    def stored(self) -> dict[str, Wanted]:
        """What there is, by name."""
        raise NotImplementedError

    def save(self, plan: Plan) -> None:
        """Write new and changed objects, and remove those that are to go."""
        raise NotImplementedError


def cells_of(
    text: str, columns: tuple[str, ...], needed: tuple[str, ...]
) -> tuple[list[tuple[int, dict[str, str]]], list[Problem]]:
    """(line, cells by column) of each line; the first line names the columns, and commas, semicolons or tabs part
    them."""
    text = text.removeprefix("\ufeff")
    head = text.lstrip().split("\n", 1)[0]
    separator = max(",;\t", key=head.count)
    reader = csv.reader(io.StringIO(text), delimiter=separator)
    names: list[str] = []
    found: list[tuple[int, dict[str, str]]] = []
    problems: list[Problem] = []
    try:
        for cells in reader:
            stripped = [_undefused(cell.strip()) for cell in cells]
            if not any(stripped) or stripped[0].startswith("#"):
                continue
            if not names:
                names = [cell.lower() for cell in stripped]
                if wrong := _heading(names, columns, needed):
                    return [], [Problem(reader.line_num, wrong)]
            elif len(stripped) > len(names):
                problems.append(Problem(reader.line_num, f"{len(stripped)} cells where {len(names)} are named"))
            else:
                found.append((reader.line_num, dict(zip(names, stripped, strict=False))))
            if len(found) > MAX_LINES:
                return [], [Problem(reader.line_num, f"more than {MAX_LINES} lines")]
    except csv.Error as error:
        problems.append(Problem(reader.line_num, f"this is not CSV: {error}"))
    return [(line, dict.fromkeys(names, "") | cells) for line, cells in found], problems


def _heading(names: list[str], columns: tuple[str, ...], needed: tuple[str, ...]) -> str:
    """What is wrong with the line that names the columns."""
    unknown = [name for name in names if name not in columns]
    missing = [name for name in needed if name not in names]
    if missing:
        return f"the first line has to name the columns, at least {', '.join(needed)}; {', '.join(missing)} is missing"
    if unknown:
        return f"unknown column {unknown[0] or '(without a name)'}; known are {', '.join(columns)}"
    return "a column is named twice" if len(set(names)) < len(names) else ""


def _defused(cell: str) -> str:
    """A cell that a spreadsheet would take for a formula is written as text."""
    return f"'{cell}" if cell[:1] in ("=", "+", "-", "@") else cell


def _undefused(cell: str) -> str:
    return cell[1:] if cell[:1] == "'" and cell[1:2] in ("=", "+", "-", "@") else cell
