"""Saved filters in the admin."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from monitors.forms.filter import SavedFilterForm
from monitors.models import SavedFilter


@admin.register(SavedFilter)
class SavedFilterAdmin(admin.ModelAdmin):
    """A filter that changes changes no monitor: its text was copied where it was chosen."""

    form = SavedFilterForm
    list_display = ("name", "text", "description", "created_by")
    search_fields = ("name", "filter", "description")
    fields = ("name", "filter", "description")

    def save_model(self, request: HttpRequest, obj: SavedFilter, form: Any, change: bool) -> None:
        if not change:
            obj.created_by = request.user  # type: ignore[assignment]
        super().save_model(request, obj, form, change)

    @admin.display(description="Filter", ordering="filter")
    def text(self, found: SavedFilter) -> SafeString:
        return format_html("<code>{}</code>", found.filter)
