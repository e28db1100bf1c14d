"""A note between panels: plain text, paragraphs kept."""

from __future__ import annotations

from typing import Any

from django import forms
from django.template.defaultfilters import urlize
from django.utils.html import linebreaks

from dashboards.panels.panel import PAGE, Drawing, PanelKind, Setting, register
from dashboards.queries.frame import Frame


@register
class Text(PanelKind):
    """Words for whoever reads the dashboard."""

    key = "text"
    label = "Text"
    description = "A note: what this dashboard is for, whom to call."
    icon = "info-circle"
    needs_query = False

    class ConfigForm(forms.Form):
        text = forms.CharField(widget=forms.Textarea(attrs={"rows": 6}), max_length=10_000, required=False)

    def draw(self, frame: Frame, config: dict[str, Any], setting: Setting = PAGE) -> Drawing:
        text = linebreaks(urlize(str(config.get("text", "")), autoescape=True))
        return Drawing(html=f'<div class="panel-note">{text}</div>')
