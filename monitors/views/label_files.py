"""Labels from CSV: looked over first, line by line, and taken in as a whole or not at all."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from monitors.access import operator_required
from monitors.labels.sheets import SHEETS, Sheet
from monitors.labels.sheets.sheet import Plan, Wanted

MOST_BYTES = 8 << 20
SHOWN = 200
SUMMARY = 5


class LabelFileForm(forms.Form):
    """A file, or the text itself."""

    file = forms.FileField(label="File", required=False)
    text = forms.CharField(
        label="or its lines",
        required=False,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 10, "spellcheck": "false"}),
    )
    remove_missing = forms.BooleanField(label="Remove what it does not name", required=False)

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        file = data.get("file")
        if file is not None:
            if (file.size or 0) > MOST_BYTES:
                raise forms.ValidationError(f"The file has more than {MOST_BYTES >> 20} MB.")
            try:
                data["text"] = file.read().decode("utf-8-sig")
            except UnicodeDecodeError:
                raise forms.ValidationError("The file is not UTF-8 text; save it as UTF-8.") from None
        if not (data.get("text") or "").strip() and not self.errors:
            self.add_error("file", "Choose a file, or paste its lines.")
        return data


@operator_required
def import_labels(request: HttpRequest, kind: str) -> HttpResponse:
    """Look a file over, then take it in when told to."""
    sheet = SHEETS[kind]
    context: dict[str, Any] = {"sheet": sheet, "kind": kind, "section": "labels", "form": LabelFileForm()}
    status = 200
    if request.method == "POST":
        form = LabelFileForm(request.POST, request.FILES)
        if form.is_valid():
            text, remove = form.cleaned_data["text"], form.cleaned_data["remove_missing"]
            plan = sheet.apply(text, remove) if "apply" in request.POST else sheet.plan(text, remove)
            if "apply" in request.POST and not plan.problems:
                messages.success(request, f"Imported: {said(plan)}.")
                return redirect(f"labels-{kind}")
            form = LabelFileForm(initial={"text": text, "remove_missing": remove})
            context |= {"plan": plan, "said": said(plan), "shown": SHOWN, "changes": _changes(sheet, plan)}
            status = 400 if plan.problems else 200
        else:
            status = 400
        context["form"] = form
    return render(request, "monitors/label_import.html", context, status=status)


def said(plan: Plan) -> str:
    """The plan in a few words."""
    counts = (len(plan.new), "new"), (len(plan.changed), "changed"), (len(plan.removed), "removed")
    words = [f"{n:,} {word}" for n, word in counts if n]
    return ", ".join([*words, f"{len(plan.unchanged):,} unchanged"])


def _changes(sheet: Sheet, plan: Plan) -> list[tuple[int | str, str, str, str]]:
    """(line, name, status, what) of each change, the first few hundred."""
    rows: list[tuple[int | str, str, str, str]] = [
        (one.line, name, "new", _summary(sheet, one)) for name, one in plan.new.items()
    ]
    rows += [(one.line, name, "changed", plan.notes[name]) for name, one in plan.changed.items()]
    rows.sort(key=lambda row: row[0])
    return (rows + [("", name, "removed", "") for name in plan.removed])[:SHOWN]


def _summary(sheet: Sheet, one: Wanted) -> str:
    """What a new label names."""
    if not one.parts:
        named = {key: value for key, value in one.fields.items() if key not in ("weight", "description")}
        return ", ".join(f"{key} {value}" for key, value in named.items() if value not in (None, ""))
    more = f" and {len(one.parts) - SUMMARY} more" if len(one.parts) > SUMMARY else ""
    return ", ".join(sheet.part_text(part) for part in one.parts[:SUMMARY]) + more
