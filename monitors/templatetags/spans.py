"""Seconds and daily counts as pages of monitors say them."""

from __future__ import annotations

from django import template
from django.template.defaultfilters import floatformat

from monitors.forms.choices import STEP_LABELS

register = template.Library()

DAY_MINUTES = 1440


@register.filter
def span(seconds: int) -> str:
    """10 as "10 seconds", 600 as "10 minutes"."""
    return STEP_LABELS.get(seconds) or f"{seconds} second{'' if seconds == 1 else 's'}"


@register.filter
def per_minute(a_day: float) -> str:
    """A number a day as that of a minute."""
    return str(floatformat(a_day / DAY_MINUTES, "0g"))
