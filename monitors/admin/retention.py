"""Retention in the admin: one form, and beside it what is stored, how it grows and what was removed."""

from __future__ import annotations

import datetime as dt
import time
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString

from monitors.forms.retention import RetentionForm
from monitors.models import Partition, Retention
from monitors.series import sizes

REMOVED = 20
NO_BREAK = "\u00a0"
STEP_WORDS = {
    step: words.replace(" ", NO_BREAK)
    for step, words in (
        (1, "1 second"), (10, "10 seconds"), (60, "1 minute"), (600, "10 minutes"), (3600, "1 hour"), (86_400, "1 day")
    )
}  # fmt: skip


@admin.register(Retention)
class RetentionAdmin(admin.ModelAdmin):
    form = RetentionForm
    fieldsets = (
        (
            "How long each step is kept",
            {
                "fields": ("days_1", "days_10", "days_60", "days_600", "days_3600", "days_86400"),
                "description": "Age counts from the write: an old capture that is read today stays as long as today's"
                " traffic. Coarser steps are folded from finer ones, so they stay at least as long.",
            },
        ),
        (
            "How much all samples may take",
            {
                "fields": ("budget_gb",),
                "description": "When it is reached, the oldest part of the finest step goes first. What waits to be"
                " rolled up never goes.",
            },
        ),
    )

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """There is one: its form is the list."""
        one = Retention.of_site()
        return HttpResponseRedirect(reverse("admin:monitors_retention_change", args=[one.pk]))

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        return Retention.of_site() if object_id == "1" else None

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        context |= {"stored": self.stored(Retention.of_site()), "removed": self.removed()}
        return super().render_change_form(request, context, *args, **kwargs)

    def stored(self, retention: Retention) -> SafeString:
        """What there is of each step, how it grows, and what becomes of the budget."""
        now = time.time()
        found = sizes.stored()
        lines = sizes.tiers_stored(retention, found, now)
        used = sum(one.size for one in found)
        limit = sizes.budget(retention, used)
        all_days = sum(line.bytes_per_day for line in lines)
        settles = sum(max(line.size, line.settles_at) for line in lines)
        context = {
            "lines": [_words_of(line) for line in lines],
            "all": {
                "size": size_words(used),
                "rows": f"{sum(line.rows for line in lines):,}",
                "rows_per_day": f"{sum(line.rows_per_day for line in lines):,.0f}",
                "size_per_day": size_words(all_days),
                "settles_at": size_words(settles),
            },
            "limit": size_words(limit),
            "share": round(100 * used / limit) if limit else 100,
            "is_default": retention.budget_gb is None,
            "forecast": forecast(used, limit, all_days, sizes.full_on(lines, limit, timezone.now().date())),
        }
        return render_to_string("monitors/partials/retention_stored.html", context)

    def removed(self) -> SafeString:
        """The newest removals, and why."""
        gone = Partition.objects.exclude(dropped=None).order_by("-dropped")[:REMOVED]
        rows = [
            {"gone": one, "words": STEP_WORDS[one.step], "freed": size_words(one.freed) if one.freed else ""}
            for one in gone
        ]
        return render_to_string("monitors/partials/retention_removed.html", {"rows": rows})


def _words_of(line: sizes.Tier) -> dict[str, Any]:
    return {
        "words": STEP_WORDS[line.step],
        "size": size_words(line.size),
        "rows": f"{line.rows:,}",
        "rows_per_day": f"{line.rows_per_day:,.0f}",
        "size_per_day": size_words(line.bytes_per_day),
        "days": f"{line.days}{NO_BREAK}days",
        "settles_at": size_words(max(line.size, line.settles_at)),
        "oldest": line.oldest,
    }


def size_words(size: float) -> str:
    """Bytes in powers of ten, as disks are sold; on one line."""
    for unit, factor in (("TB", 10**12), ("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= factor:
            return f"{size / factor:.{0 if size >= 100 * factor else 1}f}{NO_BREAK}{unit}"
    return f"{size:.0f}{NO_BREAK}B"


def forecast(used: int, limit: int, per_day: float, full: dt.date | None) -> str:
    """What will become of the budget, in words."""
    if used > limit:
        return "The budget is reached: the oldest of the finest step goes first, every ten minutes."
    if per_day <= 0:
        return "Nothing has come during the last seven days, so there is no forecast."
    if full is None:
        return "At the pace of the last seven days it will not be reached: as much goes by age as comes."
    return f"At the pace of the last seven days it is full on {full:%Y-%m-%d}; from then on the finest step is shorter."
