"""Names of hosts as CSV (address,name) or as a hosts file: an address, its name, other names after it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from ipaddress import ip_address
from typing import Any

from django.utils import timezone

from monitors.labels.sheets.sheet import BadCell, Part, Plan, Problem, Sheet, Wanted
from monitors.models import HostName, NameSource

CHUNK = 1_000
MAX_NAME = 253


class Names(Sheet):
    """An imported name wins over one of DNS; where it goes, DNS may say one again."""

    key, title, noun = "names", "Host names", "host name"
    columns = needed = ("address", "name")
    example = "address,name\n10.2.0.7,web-1.example.net\n10.2.0.8,web-2.example.net"

    def read(self, text: str) -> tuple[dict[str, Wanted], list[Problem]]:
        if re.match(r"\s*\S*address\S*\s*[,;\t]", text.removeprefix("\ufeff"), re.IGNORECASE):
            return super().read(text)
        return self._read_hosts(text.removeprefix("\ufeff"))

    def _read_hosts(self, text: str) -> tuple[dict[str, Wanted], list[Problem]]:
        wanted: dict[str, Wanted] = {}
        problems = []
        for line, words in enumerate(text.splitlines(), 1):
            found = re.split(r"[\s,;]+", words.partition("#")[0].strip())
            if found == [""]:
                continue
            try:
                self._take(wanted, line, {"address": found[0], "name": found[1] if len(found) > 1 else ""})
            except BadCell as error:
                problems.append(Problem(line, str(error)))
        return wanted, problems

    def name_of(self, cells: Mapping[str, str]) -> str:
        try:
            return str(ip_address(cells["address"].partition("%")[0]))
        except ValueError:
            raise BadCell(f'"{cells["address"]}" is no address') from None

    def parse(self, cells: Mapping[str, str]) -> tuple[dict[str, Any], list[Part]]:
        name = cells["name"].rstrip(".")
        if not name or len(name) > MAX_NAME or not name.isprintable():
            raise BadCell("the name is missing" if not name else f"a name has at most {MAX_NAME} printable characters")
        return {"name": name}, []

    def stored(self) -> dict[str, Wanted]:
        rows = HostName.objects.filter(source=NameSource.IMPORTED).order_by("address").values_list("address", "name")
        return {str(address): Wanted(0, {"name": name}) for address, name in rows}

    def lines(self, name: str, one: Wanted) -> Iterable[dict[str, Any]]:
        yield {"address": name, "name": one.fields["name"]}

    def save(self, plan: Plan) -> None:
        now = timezone.now()
        HostName.objects.filter(source=NameSource.IMPORTED, address__in=plan.removed).delete()
        HostName.objects.bulk_create(
            [
                HostName(address=address, name=one.fields["name"], source=NameSource.IMPORTED, seen=now)
                for address, one in (plan.new | plan.changed).items()
            ],
            update_conflicts=True,
            unique_fields=["address"],
            update_fields=["name", "source", "seen", "expires"],
            batch_size=CHUNK,
        )

    def saved(self) -> None:
        """Names do not resolve on groups: they are looked up when something is shown."""


NAMES = Names()
