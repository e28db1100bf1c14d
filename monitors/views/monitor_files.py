"""Monitors as files: what the list shows as YAML or CSV, and a file looked over before it is taken in."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.core.files.uploadedfile import UploadedFile
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from monitors.access import operator_required, viewer_required
from monitors.exchange.entry import MOST_BYTES, FileError
from monitors.exchange.plan import FORMATS, ImportPlan, ImportRefused, apply, format_of, make_plan, write
from monitors.models import Monitor
from monitors.views.monitor_list import narrowed

CONTENT_TYPES = {"yaml": "application/yaml", "csv": "text/csv"}


class ImportForm(forms.Form):
    """A file, or its text once it was looked over."""

    file = forms.FileField(
        label="File", required=False, help_text="YAML or CSV, as the export writes it. Nothing changes yet."
    )
    text = forms.CharField(required=False, widget=forms.HiddenInput, strip=False)
    format = forms.ChoiceField(choices=[(key, key) for key in FORMATS], required=False, widget=forms.HiddenInput)

    def clean_file(self) -> UploadedFile | None:
        file: UploadedFile | None = self.cleaned_data["file"]
        if file is not None and (file.size or 0) > MOST_BYTES:
            raise forms.ValidationError(f"The file has more than {MOST_BYTES >> 20} MB.")
        return file

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        file = data.get("file")
        if file is not None:
            try:
                data["text"] = file.read().decode("utf-8-sig")
            except UnicodeDecodeError:
                raise forms.ValidationError("The file is not UTF-8 text; save it as UTF-8.") from None
            data["format"] = format_of(file.name or "", data["text"])
        elif not data.get("text") and not self.errors:
            self.add_error("file", "Choose a file.")
        return data


@viewer_required
def export_monitors(request: HttpRequest) -> HttpResponse:
    """What the list shows: `?format=csv`, with the list's own `q`, `tag` and `state`, or `id` for single ones."""
    form = request.GET.get("format", "yaml")
    if form not in FORMATS:
        raise Http404("Monitors are exported as yaml or csv.")
    found = Monitor.objects.prefetch_related("nodes", "groups")
    ids = [int(pk) for pk in request.GET.getlist("id") if pk.isdigit() and len(pk) < 10]
    chosen = list(found.filter(pk__in=ids)) if ids else [row.monitor for row in narrowed(request.GET, by_name=True)]
    return file_response(chosen, form)


def file_response(monitors: list[Monitor], form: str) -> HttpResponse:
    """The file, to be saved."""
    name = monitors[0].slug if len(monitors) == 1 else "monitors"
    return HttpResponse(
        write(monitors, form),
        content_type=f"{CONTENT_TYPES[form]}; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}.{form}"'},
    )


@operator_required
def import_monitors(request: HttpRequest) -> HttpResponse:
    """Look a file over, then take it in when told to."""
    context: dict[str, Any] = {"section": "monitors", "form": ImportForm()}
    status = 200
    if request.method == "POST":
        form = context["form"] = ImportForm(request.POST, request.FILES)
        if form.is_valid():
            context |= {"text": form.cleaned_data["text"], "file_format": form.cleaned_data["format"] or "yaml"}
            plan = _plan(context)
            if plan is not None and "apply" in request.POST:
                try:
                    apply(plan, request.user, "import")
                    messages.success(request, f"Imported: {plan.summary}.")
                    return redirect("monitors")
                except ImportRefused as refused:
                    context["plan"], context["problem"] = refused.plan, str(refused)
        status = 400 if form.errors or "problem" in context else 200
    return render(request, "monitors/monitor_import.html", context, status=status)


def _plan(context: dict[str, Any]) -> ImportPlan | None:
    try:
        plan = make_plan(context["text"], context["file_format"])
    except FileError as error:
        context["problem"] = str(error)
        return None
    context["plan"] = plan
    return plan
