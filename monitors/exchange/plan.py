"""What an import would do, entry by entry, and doing it: all of it in one transaction, or nothing.

The same file again changes nothing: an entry is the monitor with its slug, else that with its name.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from typing import Any, Literal

from django.db import IntegrityError, transaction
from django.utils.text import slugify

from monitors import editing
from monitors.exchange import csv_file, yaml_file
from monitors.exchange.document import Document, Names, defaults_of, document, form_data
from monitors.exchange.entry import MOST_BYTES, MOST_ENTRIES, Entry, FileError
from monitors.forms.monitor import MonitorForm
from monitors.history import Change, changes
from monitors.models import Monitor

Status = Literal["new", "changed", "same", "wrong"]
Format = Literal["yaml", "csv"]
FORMATS: dict[str, Any] = {"yaml": yaml_file, "csv": csv_file}


@dataclass(frozen=True)
class Item:
    """One entry of the file and what it means here."""

    line: int
    name: str
    status: Status
    changes: tuple[Change, ...] = ()
    problems: tuple[str, ...] = ()
    monitor: Monitor | None = None
    form: MonitorForm | None = None
    slug: str = ""


@dataclass(frozen=True)
class ImportPlan:
    """All entries in the order of the file."""

    items: tuple[Item, ...]

    def count(self, status: Status) -> int:
        return sum(item.status == status for item in self.items)

    @property
    def is_wrong(self) -> bool:
        return any(item.status == "wrong" for item in self.items)

    @property
    def has_changes(self) -> bool:
        return any(item.status in ("new", "changed") for item in self.items)

    @property
    def summary(self) -> str:
        return ", ".join(f"{self.count(status)} {status}" for status in ("new", "changed", "same", "wrong"))


class ImportRefused(ValueError):
    """Nothing was imported, since a part of it cannot be; the plan says which."""

    def __init__(self, plan: ImportPlan) -> None:
        super().__init__(f"{plan.count('wrong')} of {len(plan.items)} entries are wrong; nothing was imported")
        self.plan = plan


def write(monitors: list[Monitor], form: str) -> str:
    """The monitors as a file."""
    text: str = FORMATS[form].write([document(monitor) for monitor in monitors])
    return text


def format_of(name: str, text: str) -> str:
    """By the file's name, else by how it begins."""
    ending = name.rpartition(".")[2].lower()
    if ending in ("yaml", "yml", "csv"):
        return "csv" if ending == "csv" else "yaml"
    first = next((line for line in text.splitlines() if line.strip()), "")
    return "csv" if "name" in first.split(",") or "name" in first.split(";") else "yaml"


def make_plan(text: str, form: str) -> ImportPlan:
    """Read and check everything, change nothing. FileError for what is no list of monitors at all."""
    if len(text) > MOST_BYTES:
        raise FileError(f"the file has more than {MOST_BYTES >> 20} MB", 1)
    # A browser sends the lines of a form with CRLF.
    entries: list[Entry] = FORMATS[form].read(text.replace("\r\n", "\n"))
    if len(entries) > MOST_ENTRIES:
        raise FileError(f"the file has {len(entries)} monitors; at most {MOST_ENTRIES} at once", 1)
    present = list(Monitor.objects.prefetch_related("nodes", "groups"))
    by_slug, by_name = ({getattr(one, field): one for one in present} for field in ("slug", "name"))
    names, taken = Names(), dict[str, int]()
    items = []
    for entry in entries:
        found, problems = entry.typed()
        monitor = by_slug.get(found.get("slug", "")) or by_name.get(found.get("name", ""))
        key = f"#{monitor.pk}" if monitor else found.get("name", "")
        if key and key in taken:
            problems.append(f"the same monitor stands in line {taken[key]} already")
        taken.setdefault(key, entry.line)
        items.append(_item(entry, found, problems, monitor, names))
    return ImportPlan(tuple(items))


def _item(entry: Entry, found: Document, problems: list[str], monitor: Monitor | None, names: Names) -> Item:
    before = document(monitor) if monitor else None
    name = str(found.get("name") or (before or {}).get("name") or "")
    wanted = {**(before or defaults_of(found.get("kind", "network_health"))), **found}
    if monitor:
        wanted["slug"] = monitor.slug
    elif wanted["slug"] != slugify(wanted["slug"]):
        problems.append(f"{entry.where('slug')}a slug has small letters, digits and hyphens only")
    if monitor and wanted["resolution"] != monitor.resolution:
        problems.append(f"{entry.where('resolution')}it is {monitor.resolution} s and cannot be changed")
    data, unknown = form_data(wanted, names)
    problems += [f"{entry.where(error.field)}{error}" for error in unknown]
    form = MonitorForm(data, instance=copy(monitor) if monitor else None)
    problems += _faults(entry, form)
    if problems:
        return Item(entry.line, name, "wrong", problems=tuple(problems), monitor=monitor)
    after = _after(form, wanted)
    difference = changes(before, after)
    status: Status = "new" if monitor is None else "changed" if difference else "same"
    return Item(entry.line, name, status, difference, (), monitor, form, wanted["slug"])


def _faults(entry: Entry, form: MonitorForm) -> list[str]:
    return [
        f"{entry.where(name)}{' '.join(str(error).splitlines()[:1])}"
        for name, errors in form.errors.items()
        for error in errors
    ]


def _after(form: MonitorForm, wanted: Document) -> Document:
    """What the monitor's document will be once the form is saved."""
    data = form.cleaned_data
    related = {name: sorted(str(one.name) for one in data[name]) for name in ("nodes", "groups")}
    return {name: related.get(name, data.get(name, value)) for name, value in wanted.items()}


def apply(plan: ImportPlan, user: Any, way: str) -> ImportPlan:
    """Do what the plan says, in one transaction. ImportRefused if anything of it is wrong."""
    if plan.is_wrong:
        raise ImportRefused(plan)
    with transaction.atomic():
        for item in plan.items:
            if item.status in ("new", "changed") and item.form is not None:
                if item.monitor is None and item.slug:
                    item.form.instance.slug = item.slug
                try:
                    with transaction.atomic():
                        editing.save(item.form, user, way)
                except IntegrityError:
                    raise ImportRefused(_taken(plan, item)) from None
    return plan


def _taken(plan: ImportPlan, wrong: Item) -> ImportPlan:
    """The same plan, where another monitor took the name or slug meanwhile."""
    told = Item(wrong.line, wrong.name, "wrong", problems=("its name or slug belongs to another monitor",))
    return ImportPlan(tuple(told if item is wrong else item for item in plan.items))
