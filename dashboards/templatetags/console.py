"""Tags that every page uses: icons from the sprite, age of a moment, links that keep the time range."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from django import template
from django.contrib.staticfiles import finders
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.templatetags.static import static
from django.utils.html import format_html
from django.utils.safestring import SafeString

register = template.Library()

SPRITE = "vendor/icons.svg"


@register.simple_tag
def icon(name: str, css: str = "") -> SafeString:
    """An icon of the sprite that `npm run build` makes (its list is in static/build.mjs)."""
    return format_html('<svg class="icon {}" aria-hidden="true"><use href="{}#{}"/></svg>', css, sprite_url(), name)


def sprite_url() -> str:
    try:
        return static(SPRITE)
    except ValueError:
        # The manifest has no vendor files when `npm run build` was never run; pages work without icons.
        return f"/static/{SPRITE}"


@register.filter
def moment(value: Any, form: str = "%Y-%m-%d %H:%M:%S") -> str:
    """Epoch seconds or a datetime as text in UTC; pages turn the `<time>` around it into the viewer's zone."""
    if value is None or value == "":
        return ""
    when = value if isinstance(value, datetime) else datetime.fromtimestamp(float(value), UTC)
    return when.astimezone(UTC).strftime(form)


@register.simple_tag(takes_context=True)
def keep_range(context: dict[str, Any], path: str) -> str:
    """`path` with the range of the present page, so that going sideways keeps the time."""
    request: HttpRequest | None = context.get("request")
    if request is None:
        return path
    query = request.GET.copy()
    for name in list(query):
        if name not in ("from", "to", "zone"):
            del query[name]
    if not query:
        return path
    return f"{path}{'&' if '?' in path else '?'}{query.urlencode()}"


@lru_cache(maxsize=1)
def vendor_is_built() -> bool:
    """Whether `npm run build` has been run: pages say so instead of staying blank."""
    found = finders.find("vendor/plotly-cartesian.min.js")
    return bool(found) and Path(str(found)).exists()


@register.simple_tag
def vendor_built() -> bool:
    return vendor_is_built()


@register.simple_block_tag
def card(
    content: str, title: str = "", help: str = "", note: str = "", css: str = "", id: str = "", flush: bool = False
) -> str:
    """{% card "Title" %}...{% endcard %}: the one card of all pages; `flush` for tables that touch its edges."""
    words = {"title": title, "help": help, "note": note, "css": css, "id": id, "flush": flush, "content": content}
    return render_to_string("partials/card.html", words)
