"""PostgreSQL column types that Django lacks: int8multirange for sets of seconds, cidr for networks.

A set of seconds is a sorted tuple of half-open (start, stop) pairs in epoch seconds, as `monitors.intervals` has them.
"""

from __future__ import annotations

import re
from ipaddress import ip_network
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db import models

from monitors.intervals import Intervals

_PAIR = re.compile(r"\[(-?\d+),(-?\d+)\)")


def from_multirange(text: str) -> Intervals:
    """What PostgreSQL prints, '{[1,5),[7,9)}', as pairs; int8 ranges are always printed in this form."""
    return tuple((int(start), int(stop)) for start, stop in _PAIR.findall(text))


def to_multirange(intervals: Intervals) -> str:
    """The literal that PostgreSQL reads."""
    return "{" + ",".join(f"[{start},{stop})" for start, stop in intervals) + "}"


class Int8MultiRangeField(models.Field):
    """A set of seconds; the database's own operators (+, -, *, @>) work on it."""

    description = "set of seconds"

    def db_type(self, connection: Any) -> str:
        return "int8multirange"

    def from_db_value(self, value: str | None, expression: Any, connection: Any) -> Intervals | None:
        return None if value is None else from_multirange(value)

    def get_prep_value(self, value: Intervals | None) -> str | None:
        return None if value is None else to_multirange(value)


class CidrField(models.Field):
    """A network such as 10.1.2.0/24, as text in Python."""

    description = "network"

    def db_type(self, connection: Any) -> str:
        return "cidr"

    def to_python(self, value: Any) -> str | None:
        """Checked and in canonical form; an address is a network of one."""
        return None if value is None else network_of(str(value))

    def formfield(self, **kwargs: Any) -> Any:
        return super().formfield(**{"form_class": forms.CharField, **kwargs})


def network_of(text: str) -> str:
    """A network as PostgreSQL prints it; ValidationError for what is none, or has bits beyond its mask."""
    try:
        return str(ip_network(text.strip()))
    except ValueError:
        pass
    try:
        meant = ip_network(text.strip(), strict=False)
    except ValueError:
        raise ValidationError(f"{text.strip() or 'Nothing'} is no network; write 10.2.0.0/16 or 10.2.3.4.") from None
    raise ValidationError(f"{text.strip()} is an address inside {meant}; write the network itself or the address.")
