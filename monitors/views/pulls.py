"""The live page of pulls, and history pulled again on request."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST

from monitors import state
from monitors.access import allows, operator_required, viewer_required
from monitors.models import Monitor, Node
from monitors.nodes import health
from monitors.pulls import status
from monitors.pulls.again import keep_as_it_is, pull_again
from monitors.pulls.times import TimeProblem, range_of

PAGE_ROWS = 50
# The worst of them; all are on the page of nodes.
NODE_ROWS = 8
# In the order of the buttons; what they are called beside their dot.
STATES = {
    "down": "Failing",
    "warning": "Trouble",
    "busy": "Fetching history",
    "ok": "Up to date",
    "unknown": "Nothing yet",
    "off": "Off",
}
# A clock that is off by more is warned about: buckets of two nodes no longer mean the same second.
SKEW_MS = 2000


@viewer_required
def pulls(request: HttpRequest) -> HttpResponse:
    """Every monitor on every node, the worst first; polled every few seconds."""
    now = time.time()
    wanted, chosen = _wanted(request)
    number = _whole(request.GET.get("page"), 1) or 1
    found, total = status.page(wanted, now, PAGE_ROWS, (number - 1) * PAGE_ROWS)
    pages = max(1, -(-total // PAGE_ROWS))
    if number > pages:
        number = pages
        found, total = status.page(wanted, now, PAGE_ROWS, (number - 1) * PAGE_ROWS)
    sums = status.totals(now)
    nodes = list(Node.objects.all())
    shown = [_node_row(node, now) for node in nodes]
    shown.sort(key=lambda row: -state.SEVERITY.index(row["state"].key))
    context: dict[str, Any] = {
        "rows": [state.view(pull, now) for pull in found],
        "sums": sums,
        "facts": _facts(sums),
        "states": [(key, label, state.COLOURS[key], sums.states[key], _link(chosen, state=key))
                   for key, label in STATES.items() if sums.states[key] or chosen.get("state") == key],
        "everything": _link(chosen, state=""),
        "all_nodes": nodes,
        "nodes": shown[:NODE_ROWS],
        "more_nodes": max(0, len(nodes) - NODE_ROWS),
        "chosen": chosen,
        "first": (number - 1) * PAGE_ROWS + 1,
        "last": (number - 1) * PAGE_ROWS + len(found),
        "total": total,
        "earlier": _link(chosen, page=number - 1) if number > 1 else "",
        "later": _link(chosen, page=number + 1) if number < pages else "",
        "here": _link(chosen, page=number),
        "section": "pulls",
        "may_operate": allows(request.user, "operate"),
    }  # fmt: skip
    polled = bool(request.headers.get("HX-Request"))
    return render(request, "monitors/partials/pull_list.html" if polled else "monitors/pulls.html", context)


@operator_required
@require_POST
def pull_history_again(request: HttpRequest, pk: int) -> HttpResponse:
    """Mark what a monitor has, between two times if given, to be pulled again under its present definition."""
    monitor = get_object_or_404(Monitor, pk=pk)
    if request.POST.get("keep"):
        keep_as_it_is([monitor.pk])
        messages.success(request, f"What {monitor.name} has stays as it is.")
        return redirect("monitor", pk=monitor.pk)
    now = time.time()
    try:
        start, stop = range_of(request.POST.get("from", ""), request.POST.get("to", ""))
    except TimeProblem as problem:
        messages.error(request, str(problem))
        return redirect("monitor", pk=monitor.pk)
    seconds = pull_again([monitor.pk], start, stop, now)
    if seconds:
        words = f"{health.spoken(seconds)} of history of {monitor.name} are being pulled again, the newest first."
        messages.success(request, words)
    else:
        messages.warning(request, f"{monitor.name} has nothing there that could be pulled again.")
    return redirect("monitor", pk=monitor.pk)


def _wanted(request: HttpRequest) -> tuple[status.Wanted, dict[str, str]]:
    """What to list, and the parameters that say so; what makes no sense is left out."""
    given = {name: request.GET.get(name, "").strip() for name in ("state", "node", "monitor", "q")}
    node, monitor = (_whole(given[name], None) for name in ("node", "monitor"))
    key = given["state"] if given["state"] in STATES else ""
    chosen = {"state": key, "node": str(node or ""), "monitor": str(monitor or ""), "q": given["q"][:100]}
    return status.Wanted(key, node, monitor, chosen["q"]), chosen


def _whole(text: str | None, otherwise: int | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and 0 < len(text) < 10 else otherwise


def _link(chosen: dict[str, str], **changes: Any) -> str:
    """The page with these parameters; without `page` it starts anew."""
    words = {name: value for name, value in {**chosen, **changes}.items() if value not in ("", 1)}
    return f"?{urlencode(words)}" if words else "?"


def _facts(sums: status.Totals) -> list[tuple[str, str, str, str, str]]:
    """(name, value, unit, colour, help) of the numbers at the top."""

    def seconds(value: float | None) -> tuple[str, str]:
        if value is None:
            return "none", ""
        return (f"{value:.1f}", "s") if value < 600 else (health.spoken(value), "")

    late = "red" if sums.late > sums.pulls // 20 else "amber" if sums.late else ""
    slow = "amber" if (sums.lag_p99 or 0) > state.LATE_S else ""
    return [
        ("Pulls", f"{sums.pulls_per_s:,.1f}", "/s", "", "Over the last ten seconds"),
        ("Rows", f"{sums.rows_per_s:,.0f}", "/s", "", "Written over about the last minute"),
        ("Behind, median", *seconds(sums.lag_p50), "", "From the end of the newest sample to now"),
        ("Behind, 99 %", *seconds(sums.lag_p99), slow, "One pull in a hundred is further behind"),
        ("Running", f"{sums.running:,}", "", "", "Pulls that a worker has in hand, up to 64 in one call"),
        ("Late", f"{sums.late:,}", "", late, f"Due for more than {status.OVERDUE_S} s without a worker"),
        ("Roll-ups waiting", f"{sums.backlog:,}", "", "amber" if sums.backlog > 20_000 else "", "Runs that are due"),
    ]


def _node_row(node: Node, now: float) -> dict[str, Any]:
    return {
        "node": node,
        "state": state.of_node(node, now),
        "breaker": health.breaker_words(node, now),
        "clock": health.clock_words(node),
        "is_off": bool(node.skew_ms and abs(node.skew_ms) > SKEW_MS),
    }
