"""What a figure has to say of edits: when a monitor's definition changed, which lines are of an older one, and what the
older one cannot answer."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from dashboards.queries.spec import QuerySpec
from dashboards.queries.timerange import span_text, zone_of
from monitors.series.criteria import answers
from monitors.series.definitions import Defined, changes
from monitors.series.ranking import keeps
from monitors.series.read import ReadRequest

MOST = 20
LACKING = "nothing of that time is shown."


class History:
    """The definitions behind the figure of a question over [start, end)."""

    def __init__(self, definitions: Sequence[Defined], spec: QuerySpec | None, start: int, end: int) -> None:
        self.definitions = definitions
        self.start, self.end = start, end
        self.zone = spec.range.zone if spec else "UTC"
        self._one = len({one.monitor.pk for one in definitions}) == 1
        self._found = changes(definitions, start, end)[-MOST:]

    def key(self, until: int | None) -> dict[str, Any]:
        """What tells a line of an older definition from one of the present: a key more."""
        return {} if until is None else {"definition": f"before {self.clock(until)}"}

    def filters(self, definition: str) -> dict[str, str]:
        """The monitors' own filters, by slug, of the definitions that are called so."""
        found = [one for one in self.definitions if one.until and self.key(one.until)["definition"] == definition]
        return {one.monitor.slug: one.filter for one in found}

    def changes(self) -> tuple[tuple[int, str], ...]:
        return tuple((change.t, self._said(change.monitor.name, change.text)) for change in self._found)

    def warnings(self, request: ReadRequest, step: int) -> tuple[str, ...]:
        """What the change means for the figures: which steps hold both, which lines are missing before it."""
        out = []
        for change in self._found:
            low = change.t // step * step
            whole = "numbers over the whole range hold both definitions" if not request.needs_groups else ""
            both = f"the step {span_text(low, low + step, self.zone)} holds both definitions" if change.t % step else ""
            parts = [part for part in (both, whole) if part]
            said = self._said(change.monitor.name, change.text)
            out.append(f"{self.clock(change.t)}: {said}" + (f" ({'; '.join(parts)})" if parts else ""))
        return (*out, *(self._lacking(one, request) for one in self._unanswered(request)))

    def clock(self, moment: int) -> str:
        """The time of day, with the date where the range is of other days."""
        zone = zone_of(self.zone)
        when, *ends = (datetime.fromtimestamp(t, zone) for t in (moment, self.start, self.end - 1))
        return f"{when:%H:%M}" if {when.date()} == {end.date() for end in ends} else f"{when:%Y-%m-%d %H:%M}"

    def _said(self, name: str, text: str) -> str:
        return f"Definition changed: {text}" if self._one else f"Definition of {name} changed: {text}"

    def _unanswered(self, request: ReadRequest) -> list[Defined]:
        if not request.needs_groups:
            return []
        keys = [key for key in request.by if key not in ("monitor", "node")]
        return [
            one
            for one in self.definitions
            if one.until is not None
            and one.until > self.start
            and not (all(keeps(one.keys, key) for key in keys) and answers(request.filter, one))
        ]

    def _lacking(self, one: Defined, request: ReadRequest) -> str:
        lacking = [key for key in request.by if key not in ("monitor", "node") and not keeps(one.keys, key)]
        why = f"did not keep {', '.join(lacking)}" if lacking else "did not keep what the filter asks for"
        return f"Before {self.clock(one.until or 0)} {one.monitor.name} {why}: {LACKING}"


NO_HISTORY = History((), None, 0, 1)
