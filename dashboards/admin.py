"""Dashboards in the admin: for whoever looks after the installation; operators use the pages under /d/."""

from __future__ import annotations

from django.contrib import admin

from dashboards.models import Dashboard, Panel


class PanelInline(admin.TabularInline):
    model = Panel
    extra = 0
    fields = ("position", "title", "kind", "width", "height", "query", "config")


@admin.register(Dashboard)
class DashboardAdmin(admin.ModelAdmin):
    list_display = ("title", "slug", "builtin", "owner", "default_start", "refresh_s", "changed")
    list_filter = ("builtin",)
    search_fields = ("title", "description")
    inlines = (PanelInline,)
    view_on_site = True

    def has_change_permission(self, request: object, obj: Dashboard | None = None) -> bool:
        return not (obj and obj.builtin) and super().has_change_permission(request, obj)  # type: ignore[arg-type]

    def has_delete_permission(self, request: object, obj: Dashboard | None = None) -> bool:
        return not (obj and obj.builtin) and super().has_delete_permission(request, obj)  # type: ignore[arg-type]
