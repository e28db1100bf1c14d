"""How lists of the admin show a state."""

from __future__ import annotations

from django.utils.html import format_html
from django.utils.safestring import SafeString

from monitors import state


def badge(found: state.State) -> SafeString:
    """The state as the lists show it."""
    return format_html('<span class="condition"><span class="dot is-{}"></span> {}</span>', found.colour, found.words)
