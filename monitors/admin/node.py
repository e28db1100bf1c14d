"""Nodes in the admin: a list that says how they are in plain words, and what one does about it."""

from __future__ import annotations

import time
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.html import format_html
from django.utils.safestring import SafeString

from monitors import state
from monitors.admin.badge import badge
from monitors.forms.node import NodeForm, adopt
from monitors.forms.secret import has_token
from monitors.models import Node, Origin
from monitors.nodes import health
from monitors.nodes.glance import glance, older
from monitors.pulls.claim import due_now

REACHED = ["verify_tls", "ca_certificate", "tls_name"]


@admin.register(Node)
class NodeAdmin(admin.ModelAdmin):
    form = NodeForm
    list_display = ("name", "state", "lag", "url", "version", "disk", "clock", "breaker", "member_of", "page")
    list_filter = ("enabled", "groups", "origin", "verify_tls")
    search_fields = ("name", "url")
    actions = ("test_connection", "pull_now", "enable", "disable", "take_over")
    change_form_template = "admin/monitors/node/change_form.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Node]:
        return super().get_queryset(request).prefetch_related("groups").select_related("found_by")

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        token = ["new_token", "remove_token"] if obj is not None and has_token(obj) else ["new_token"]
        groups = "groups"
        if obj is not None and obj.origin == Origin.FOUND and obj.found_by_id:
            text = f"Token and TLS are those of the group {obj.found_by}, behind whose address it was found."
            return ((None, {"fields": ("name", "url", "enabled", groups), "description": text}),)
        return (
            (None, {"fields": ("name", "url", *token, groups, "enabled")}),
            ("TLS", {"fields": REACHED, "description": "Where the address begins with https://"}),
        )

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("url",) if obj is not None and obj.origin == Origin.FOUND and obj.found_by_id else ()

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        # `groups` is the other side of a relation: a field of the form, not of the model.
        fields = [name for _, options in self.get_fieldsets(request, obj) for name in options["fields"]]
        readonly = self.get_readonly_fields(request, obj)
        own = [name for name in fields if name not in (*readonly, "groups", "new_token", "remove_token")]
        return super().get_form(request, obj, change, **{**kwargs, "fields": own})

    def save_model(self, request: HttpRequest, obj: Node, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        self._test(request, obj)

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        versions = dict(Node.objects.filter(enabled=True, left_at=None).values_list("pk", "status__version"))
        self._older = older({pk: str(version or "") for pk, version in versions.items()})
        return super().changelist_view(request, extra_context)

    @admin.display(description="State")
    def state(self, node: Node) -> SafeString:
        return badge(state.of_node(node, time.time()))

    @admin.display(description="Behind")
    def lag(self, node: Node) -> str:
        return state.of_node(node, time.time()).lag

    @admin.display(description="Version")
    def version(self, node: Node) -> SafeString | str:
        told = glance(node.status).version
        words = self._older.get(node.pk, "")
        return format_html('{}<br><span class="td-note is-amber">{}</span>', told, words) if words else told

    @admin.display(description="Disk")
    def disk(self, node: Node) -> SafeString:
        return render_to_string("monitors/partials/node_disk.html", {"glance": glance(node.status)})

    @admin.display(description="Clock")
    def clock(self, node: Node) -> str:
        return health.clock_words(node)

    @admin.display(description="Breaker")
    def breaker(self, node: Node) -> str:
        return health.breaker_words(node, time.time())

    @admin.display(description="Groups")
    def member_of(self, node: Node) -> str:
        return ", ".join(group.name for group in node.groups.all()) or "none"

    @admin.display(description="Open")
    def page(self, node: Node) -> SafeString:
        return format_html('<a href="{}">health</a>', node.get_absolute_url())

    @admin.action(description="Test connection", permissions=["change"])
    def test_connection(self, request: HttpRequest, queryset: QuerySet[Node]) -> None:
        for node in queryset:
            self._test(request, node)

    @admin.action(description="Pull now", permissions=["change"])
    def pull_now(self, request: HttpRequest, queryset: QuerySet[Node]) -> None:
        n = due_now(node_ids=list(queryset.values_list("pk", flat=True)), now=time.time())
        self.message_user(request, f"{n} pulls are due now; the next second takes them.")

    @admin.action(description="Switch on", permissions=["change"])
    def enable(self, request: HttpRequest, queryset: QuerySet[Node]) -> None:
        n = queryset.update(enabled=True, retry_at=None, failures=0, checked_at=None)
        self.message_user(request, f"{n} switched on.")

    @admin.action(description="Switch off (what was pulled stays)", permissions=["change"])
    def disable(self, request: HttpRequest, queryset: QuerySet[Node]) -> None:
        self.message_user(request, f"{queryset.update(enabled=False)} switched off.")

    @admin.action(description="Take over: nothing changes it by itself any more", permissions=["change"])
    def take_over(self, request: HttpRequest, queryset: QuerySet[Node]) -> None:
        for node in queryset:
            adopt(node)
        self.message_user(request, f"{queryset.count()} are as if added by hand.")

    def _test(self, request: HttpRequest, node: Node) -> None:
        error = health.check(node, time.time())
        if error:
            self.message_user(request, f"{node.name}: {error}", messages.ERROR)
            return
        node.refresh_from_db()
        version = node.status.get("version") or "unknown version"
        self.message_user(request, f"{node.name} answers ({version}).", messages.SUCCESS)
