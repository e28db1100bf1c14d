"""What the list of monitors does to many at once, where it has to ask something first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin import helpers
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.response import TemplateResponse

from monitors import editing
from monitors.forms.tags import TagsField
from monitors.models import Monitor, NodeGroup

WAY = "admin, many at once"

Done = Callable[[Any, QuerySet[Monitor], Any], tuple[str, int]]


class TagForm(forms.Form):
    """Tags to add and to take away."""

    add = TagsField(label="Add")
    remove = TagsField(label="Take away")

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if not self.errors and not data.get("add") and not data.get("remove"):
            self.add_error("add", "Write a tag to add or to take away.")
        return data


class IntervalForm(forms.Form):
    """One interval for all."""

    interval_s = forms.IntegerField(
        label="Pulled every (seconds)", validators=[MinValueValidator(1), MaxValueValidator(86_400)]
    )


class GroupForm(forms.Form):
    """Node groups to ask, and no longer to ask."""

    add = forms.ModelMultipleChoiceField(
        NodeGroup.objects.all(), required=False, label="Ask", widget=forms.CheckboxSelectMultiple
    )
    remove = forms.ModelMultipleChoiceField(
        NodeGroup.objects.all(), required=False, label="No longer ask", widget=forms.CheckboxSelectMultiple
    )

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if not self.errors and not data.get("add") and not data.get("remove"):
            self.add_error("add", "Choose a group.")
        return data


def set_tags(user: Any, monitors: QuerySet[Monitor], data: Any) -> tuple[str, int]:
    n = editing.tag(monitors, data["add"], data["remove"], user, WAY)
    return f"Tags of {n} monitors changed.", messages.SUCCESS


def set_interval(user: Any, monitors: QuerySet[Monitor], data: Any) -> tuple[str, int]:
    n, coarser = editing.set_interval(monitors, data["interval_s"], user, WAY)
    if not coarser:
        return f"{n} monitors are pulled every {data['interval_s']} s now.", messages.SUCCESS
    told = ", ".join(coarser[:5]) + (" ..." if len(coarser) > 5 else "")
    return f"{n} changed. Left as they are, since nothing new comes as often at their resolution: {told}.", (
        messages.WARNING
    )


def set_groups(user: Any, monitors: QuerySet[Monitor], data: Any) -> tuple[str, int]:
    n = editing.regroup(monitors, data["add"], data["remove"], user, WAY)
    return f"{n} monitors ask other groups now; what was pulled stays.", messages.SUCCESS


# Action -> what it is called, what it asks, what it does.
ASKED: dict[str, tuple[str, type[forms.Form], Done]] = {
    "change_tags": ("Add or take away tags", TagForm, set_tags),
    "change_interval": ("Set how often they are pulled", IntervalForm, set_interval),
    "change_groups": ("Change node groups", GroupForm, set_groups),
}


def ask(admin: Any, request: HttpRequest, monitors: QuerySet[Monitor], name: str) -> TemplateResponse | None:
    """Show the form of an action; once it is filled in, do it and say what came of it."""
    title, form_class, done = ASKED[name]
    form = form_class(request.POST if "apply" in request.POST else None)
    if form.is_bound and form.is_valid():
        text, level = done(request.user, monitors, form.cleaned_data)
        admin.message_user(request, text, level)
        return None
    context = {
        **admin.admin_site.each_context(request),
        "title": title,
        "form": form,
        "monitors": monitors,
        "action": name,
        "ticked": helpers.ACTION_CHECKBOX_NAME,
        "opts": admin.model._meta,
        "media": admin.media,
    }
    return TemplateResponse(request, "admin/monitors/monitor/ask.html", context)
