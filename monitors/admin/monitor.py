"""Monitors in the admin: a list that says how they are in plain words, and what one does about it."""

from __future__ import annotations

import time
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.models import DELETION, LogEntry
from django.db.models import Prefetch, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from monitors import editing, history, state
from monitors.admin import monitor_bulk
from monitors.admin.badge import badge
from monitors.builtin import all_nodes
from monitors.exchange.document import document
from monitors.forms.choices import kind_choices
from monitors.forms.monitor import MonitorForm
from monitors.models import Monitor, Pull
from monitors.nodes.health import spoken
from monitors.pulls.again import pull_again
from monitors.pulls.claim import due_now
from monitors.views.monitor_files import file_response
from monitors.views.monitor_list import all_tags

WAY = "admin"
WAY_MANY = monitor_bulk.WAY


class KindFilter(admin.SimpleListFilter):
    """Monitors of one kind, by its label."""

    title = "kind"
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return kind_choices()

    def queryset(self, request: HttpRequest, queryset: QuerySet[Monitor]) -> QuerySet[Monitor]:
        return queryset.filter(kind=self.value()) if self.value() else queryset


class TagFilter(admin.SimpleListFilter):
    """Monitors with one tag."""

    title = "tag"
    parameter_name = "tag"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(word, word) for word in all_tags()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Monitor]) -> QuerySet[Monitor]:
        return queryset.filter(tags__contains=[self.value()]) if self.value() else queryset


@admin.register(Monitor)
class MonitorAdmin(admin.ModelAdmin):
    form = MonitorForm
    list_display = ("name", "state", "lag", "tag_chips", "filter_text", "asked", "every", "page")
    list_filter = ("enabled", TagFilter, KindFilter, "groups", "nodes", "resolution")
    search_fields = ("name", "filter", "description", "tags")
    actions = (
        "pull_now",
        "pull_history_again",
        "enable",
        "disable",
        "clone",
        "change_tags",
        "change_interval",
        "change_groups",
        "export_yaml",
        "export_csv",
    )
    readonly_fields = ("preview", "pull_table", "history_link")
    fieldsets = (
        (None, {"fields": ("name", "kind", "filter", "groups", "nodes", "preview", "enabled")}),
        ("What is kept", {"fields": ("keys", "top_n", "resolution", "interval_s", "steps")}),
        ("Colours", {"fields": ("thresholds",)}),
        ("To find it by", {"fields": ("description", "tags")}),
        ("Pulls", {"fields": ("pull_table", "history_link")}),
    )

    class Media:
        css = {"all": ("css/monitors.css",)}

    def get_queryset(self, request: HttpRequest) -> QuerySet[Monitor]:
        pulls = Prefetch("pulls", Pull.objects.select_related("node", "monitor"))
        return super().get_queryset(request).prefetch_related(pulls, "nodes", "groups")

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return {"groups": [all_nodes().pk], **super().get_changeform_initial_data(request)}

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        found = super().get_fieldsets(request, obj)
        return found if obj else found[:-1]

    # --- saving, with its history -------------------------------------------------------------------------------

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Monitor | None:
        """The monitor, remembering how it was before the form changes it."""
        found = super().get_object(request, object_id, from_field)
        if found is not None:
            request.before = document(found), found.revision  # type: ignore[attr-defined]
        return found

    def save_model(self, request: HttpRequest, obj: Monitor, form: Any, change: bool) -> None:
        if not change:
            obj.created_by = request.user  # type: ignore[assignment]
        super().save_model(request, obj, form, change)
        if change and obj.revision != request.before[1]:  # type: ignore[attr-defined]
            self.message_user(
                request,
                f"The definition is revision {obj.revision} now: what was pulled stays, what comes is of the new one.",
                messages.INFO,
            )

    def construct_change_message(self, request: HttpRequest, form: Any, formsets: Any, add: bool = False) -> Any:
        before = None if add else getattr(request, "before", (None, 0))[0]
        return history.message(WAY, history.changes(before, document(Monitor.objects.get(pk=form.instance.pk))))

    def log_deletions(self, request: HttpRequest, queryset: Any) -> Any:
        for monitor in queryset:
            history.record(request.user, monitor, WAY, (), DELETION)
        return LogEntry.objects.none()

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Names only: what hangs on a monitor goes with it, and the page says so in words."""
        return [monitor.name for monitor in objs], {"monitors": len(objs)}, set(), []

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Monitor]) -> None:
        for monitor in queryset:
            monitor.delete()

    # --- columns ------------------------------------------------------------------------------------------------

    @admin.display(description="State")
    def state(self, monitor: Monitor) -> SafeString:
        return badge(state.of_monitor(monitor, list(monitor.pulls.all()), time.time()))

    @admin.display(description="Behind")
    def lag(self, monitor: Monitor) -> str:
        return state.of_monitor(monitor, list(monitor.pulls.all()), time.time()).lag

    @admin.display(description="Tags")
    def tag_chips(self, monitor: Monitor) -> SafeString:
        return format_html_join(" ", '<a class="tag" href="?tag={}">{}</a>', ((word, word) for word in monitor.tags))

    @admin.display(description="Filter", ordering="filter")
    def filter_text(self, monitor: Monitor) -> SafeString | str:
        return format_html("<code>{}</code>", monitor.filter) if monitor.filter else monitor.scope

    @admin.display(description="Asks")
    def asked(self, monitor: Monitor) -> str:
        groups = [group.name for group in monitor.groups.all()]
        return ", ".join([*groups, *(node.name for node in monitor.nodes.all())]) or "nobody"

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

    # --- parts of the form --------------------------------------------------------------------------------------

    @admin.display(description="Preview")
    def preview(self, monitor: Monitor) -> SafeString:
        return render_to_string("monitors/widgets/preview_box.html", {"monitor": monitor})

    @admin.display(description="")
    def pull_table(self, monitor: Monitor) -> SafeString:
        rows = [state.view(pull, time.time()) for pull in monitor.pulls.select_related("node", "monitor")]
        return render_to_string("monitors/partials/pull_table.html", {"rows": rows, "by_node": True})

    @admin.display(description="")
    def history_link(self, monitor: Monitor) -> SafeString:
        return format_html('<a href="{}">Its page</a>: history and definitions.', monitor.get_absolute_url())

    # --- actions ------------------------------------------------------------------------------------------------

    @admin.action(description="Pull now", permissions=["change"])
    def pull_now(self, request: HttpRequest, queryset: QuerySet[Monitor]) -> None:
        n = due_now(monitor_ids=list(queryset.values_list("pk", flat=True)), now=time.time())
        self.message_user(request, f"{n} pulls are due now; the next second takes them.")

    @admin.action(description="Pull history again, by the present definition", permissions=["change"])
    def pull_history_again(self, request: HttpRequest, queryset: QuerySet[Monitor]) -> None:
        seconds = pull_again(list(queryset.values_list("pk", flat=True)), None, None, time.time())
        if seconds:
            self.message_user(
                request,
                f"{spoken(seconds)} of history are pulled again, the newest first; what nodes no longer have stays.",
            )
        else:
            self.message_user(request, "There is nothing that could be pulled again.", messages.WARNING)

    @admin.action(description="Switch on", permissions=["change"])
    def enable(self, request: HttpRequest, queryset: QuerySet[Monitor]) -> None:
        n = editing.switch(queryset, True, request.user, WAY_MANY)
        self.message_user(request, f"{n} switched on.")

    @admin.action(description="Switch off (what was pulled stays)", permissions=["change"])
    def disable(self, request: HttpRequest, queryset: QuerySet[Monitor]) -> None:
        n = editing.switch(queryset, False, request.user, WAY_MANY)
        self.message_user(request, f"{n} switched off.")

    @admin.action(description="Clone (copies are switched off)", permissions=["add"])
    def clone(self, request: HttpRequest, queryset: QuerySet[Monitor]) -> HttpResponse | None:
        copies = [editing.clone(monitor, request.user, WAY) for monitor in queryset]
        self.message_user(request, f"Made, and switched off: {', '.join(copy.name for copy in copies)}.")
        if len(copies) == 1:
            return HttpResponseRedirect(reverse("admin:monitors_monitor_change", args=[copies[0].pk]))
        return None

    @admin.action(description="Add or take away tags ...", permissions=["change"])
    def change_tags(self, request: HttpRequest, queryset: QuerySet[Monitor]) -> HttpResponse | None:
        return monitor_bulk.ask(self, request, queryset, "change_tags")

    @admin.action(description="Set how often they are pulled ...", permissions=["change"])
    def change_interval(self, request: HttpRequest, queryset: QuerySet[Monitor]) -> HttpResponse | None:
        return monitor_bulk.ask(self, request, queryset, "change_interval")

    @admin.action(description="Change node groups ...", permissions=["change"])
    def change_groups(self, request: HttpRequest, queryset: QuerySet[Monitor]) -> HttpResponse | None:
        return monitor_bulk.ask(self, request, queryset, "change_groups")

    @admin.action(description="Export as YAML", permissions=["view"])
    def export_yaml(self, request: HttpRequest, queryset: QuerySet[Monitor]) -> HttpResponse:
        return file_response(list(queryset), "yaml")

    @admin.action(description="Export as CSV", permissions=["view"])
    def export_csv(self, request: HttpRequest, queryset: QuerySet[Monitor]) -> HttpResponse:
        return file_response(list(queryset), "csv")
