"""Nodes in the admin: a list that says how they are in plain words, and what one does about it."""

from __future__ import annotations

import time
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from monitors import state
from monitors.admin.badge import badge
from monitors.forms.node import NodeForm
from monitors.models import Node
from monitors.nodes import health
from monitors.pulls.claim import due_now


@admin.register(Node)
class NodeAdmin(admin.ModelAdmin):
    form = NodeForm
    list_display = ("name", "state", "lag", "url", "version", "last_seen", "page")
    list_filter = ("enabled",)
    search_fields = ("name", "url")
    actions = ("test_connection", "pull_now")
    fieldsets = ((None, {"fields": ("name", "url", "new_token", "remove_token", "verify_tls", "enabled")}),)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        fields = ["name", "url", "new_token", "remove_token", "verify_tls", "enabled"]
        if obj is None or not obj.token:
            fields.remove("remove_token")
        return ((None, {"fields": fields}),)

    def save_model(self, request: HttpRequest, obj: Node, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        self._test(request, obj)

    @admin.display(description="State")
    def state(self, node: Node) -> SafeString:
        return badge(state.of_node(node, time.time()))

    @admin.display(description="Behind")
    def lag(self, node: Node) -> str:
        return state.of_node(node, time.time()).lag

    @admin.display(description="Version")
    def version(self, node: Node) -> str:
        return str(node.status.get("version") or "")

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

    def _test(self, request: HttpRequest, node: Node) -> None:
        error = health.check(node, time.time())
        if error:
            self.message_user(request, f"{node.name}: {error}", messages.ERROR)
            return
        node.refresh_from_db()
        version = node.status.get("version") or "unknown version"
        self.message_user(request, f"{node.name} answers ({version}).", messages.SUCCESS)
