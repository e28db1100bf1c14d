"""Node groups in the admin: who is a member, how members come, and what DNS said last."""

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
from monitors.forms.node_group import NodeGroupForm
from monitors.forms.secret import has_token
from monitors.models import Node, NodeGroup
from monitors.nodes import discovery
from monitors.nodes.membership import members, state_of_group


@admin.register(NodeGroup)
class NodeGroupAdmin(admin.ModelAdmin):
    form = NodeGroupForm
    list_display = ("name", "state", "member_names", "address", "looked_at", "page")
    search_fields = ("name", "description", "address")
    filter_horizontal = ("nodes",)
    actions = ("look_now",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[NodeGroup]:
        return super().get_queryset(request).prefetch_related("nodes")

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is not None and obj.is_all:
            text = "Every node is a member, new ones too; those that left their cluster are not."
            return ((None, {"fields": ("name", "description"), "description": text}),)
        token = ("new_token", "remove_token") if obj is not None and has_token(obj) else ("new_token",)
        return (
            (None, {"fields": ("name", "description", "nodes")}),
            (
                "Found by DNS",
                {
                    "fields": ("address", *token),
                    "description": "The name is resolved every 30 seconds: each address becomes a member with the token"
                    " below, and leaves when the name no longer stands for it. Empty: members are added by hand, or"
                    " announce themselves.",
                },
            ),
            ("TLS", {"fields": ("verify_tls", "ca_certificate"), "description": "Of members that come by themselves."}),
        )

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        fields = [name for _, options in self.get_fieldsets(request, obj) for name in options["fields"]]
        own = [name for name in fields if name not in ("new_token", "remove_token")]
        return super().get_form(request, obj, change, **{**kwargs, "fields": own})

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_delete_permission(request, obj) and not (obj is not None and obj.is_all)

    def get_actions(self, request: HttpRequest) -> Any:
        # In a list, the group of all nodes could be among those that are deleted.
        return {name: action for name, action in super().get_actions(request).items() if name != "delete_selected"}

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        if form.instance.address:
            self._look(request, form.instance)

    @admin.display(description="State")
    def state(self, group: NodeGroup) -> SafeString:
        now = time.time()
        return badge(state_of_group(group, [state.of_node(node, now) for node in members(group)]))

    @admin.display(description="Members")
    def member_names(self, group: NodeGroup) -> str:
        if group.is_all:
            return f"all {Node.objects.filter(left_at=None).count()}"
        return ", ".join(node.name for node in members(group)) or "none"

    @admin.display(description="Open")
    def page(self, group: NodeGroup) -> SafeString:
        return format_html('<a href="{}">members</a>', group.get_absolute_url())

    @admin.action(description="Look again at what the address stands for", permissions=["change"])
    def look_now(self, request: HttpRequest, queryset: QuerySet[NodeGroup]) -> None:
        for group in queryset.exclude(address=""):
            self._look(request, group)

    def _look(self, request: HttpRequest, group: NodeGroup) -> None:
        error = discovery.look(group.pk, time.time())
        if error:
            self.message_user(request, f"{group.name}: {error}", messages.ERROR)
            return
        names = ", ".join(group.nodes.values_list("name", flat=True))
        self.message_user(request, f"{group.name} has the members {names}.", messages.SUCCESS)
