"""Monitors in the admin: a list that says how they are in plain words, and what one does about it."""

from __future__ import annotations

import time
from typing import Any

from django.contrib import admin, messages
from django.db.models import Prefetch, QuerySet
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.html import format_html
from django.utils.safestring import SafeString

from monitors import state
from monitors.admin.badge import badge
from monitors.forms.monitor import MonitorForm
from monitors.models import Monitor, Pull
from monitors.pulls.claim import due_now


def _with_pulls(queryset: QuerySet[Any]) -> QuerySet[Any]:
    return queryset.prefetch_related(Prefetch("pulls", Pull.objects.select_related("node", "monitor")))


@admin.register(Monitor)
class MonitorAdmin(admin.ModelAdmin):
    form = MonitorForm
    list_display = ("name", "state", "lag", "filter_text", "node_names", "every", "page")
    list_filter = ("enabled", "kind", "nodes", "resolution")
    search_fields = ("name", "filter")
    actions = ("pull_now", "enable", "disable")
    readonly_fields = ("pull_table",)
    fieldsets = (
        (None, {"fields": ("name", "kind", "filter", "nodes", "enabled")}),
        ("What is kept", {"fields": ("keys", "top_n", "resolution", "interval_s")}),
        ("Pulls", {"fields": ("pull_table",)}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Monitor]:
        return _with_pulls(super().get_queryset(request)).prefetch_related("nodes")

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        found = super().get_fieldsets(request, obj)
        return found if obj else found[:-1]

    def save_model(self, request: HttpRequest, obj: Monitor, form: Any, change: bool) -> None:
        if not change:
            obj.created_by = request.user  # type: ignore[assignment]
        before = form.initial.get("filter"), form.initial.get("keys")
        super().save_model(request, obj, form, change)
        if change and before != (obj.filter, obj.keys):
            self.message_user(
                request,
                f"The definition is revision {obj.revision} now: what was pulled stays, what comes is of the new one.",
                messages.INFO,
            )

    @admin.display(description="State")
    def state(self, monitor: Monitor) -> SafeString:
        return badge(state.of_monitor(monitor, list(monitor.pulls.all()), time.time()))

    @admin.display(description="Behind")
    def lag(self, monitor: Monitor) -> str:
        return state.of_monitor(monitor, list(monitor.pulls.all()), time.time()).lag

    @admin.display(description="Filter", ordering="filter")
    def filter_text(self, monitor: Monitor) -> SafeString | str:
        return format_html("<code>{}</code>", monitor.filter) if monitor.filter else monitor.scope

    @admin.display(description="Nodes")
    def node_names(self, monitor: Monitor) -> str:
        return ", ".join(node.name for node in monitor.nodes.all()) or "none"

    @admin.display(description="Pulled", ordering="interval_s")
    def every(self, monitor: Monitor) -> str:
        return f"every {monitor.interval_s} s, in steps of {monitor.resolution} s"

    @admin.display(description="Open")
    def page(self, monitor: Monitor) -> SafeString:
        return format_html(
            '<a href="{}">dashboard</a> · <a href="{}">pulls</a>',
            monitor.dashboard_url,
            monitor.get_absolute_url(),
        )

    @admin.display(description="")
    def pull_table(self, monitor: Monitor) -> SafeString:
        rows = [state.view(pull, time.time()) for pull in monitor.pulls.select_related("node", "monitor")]
        return render_to_string("monitors/partials/pull_table.html", {"rows": rows, "by_node": True})

    @admin.action(description="Pull now", permissions=["change"])
    def pull_now(self, request: HttpRequest, queryset: QuerySet[Monitor]) -> None:
        n = due_now(monitor_ids=list(queryset.values_list("pk", flat=True)), now=time.time())
        self.message_user(request, f"{n} pulls are due now; the next second takes them.")

    @admin.action(description="Switch on", permissions=["change"])
    def enable(self, request: HttpRequest, queryset: QuerySet[Monitor]) -> None:
        self.message_user(request, f"{queryset.update(enabled=True)} switched on.")

    @admin.action(description="Switch off (what was pulled stays)", permissions=["change"])
    def disable(self, request: HttpRequest, queryset: QuerySet[Monitor]) -> None:
        self.message_user(request, f"{queryset.update(enabled=False)} switched off.")
