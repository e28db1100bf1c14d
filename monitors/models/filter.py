"""Filters that somebody gave a name: chosen in forms and on dashboards instead of being typed again."""

from __future__ import annotations

from django.conf import settings
from django.db import models


class SavedFilter(models.Model):
    """Its text is copied where it is chosen: changing it later changes no monitor."""

    name = models.CharField(max_length=100, unique=True)
    filter = models.TextField(help_text="As tcpdump takes it, for example: net 10.0.0.0/8 and tcp port 443")
    description = models.CharField(max_length=200, blank=True, default="")
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, editable=False, on_delete=models.SET_NULL, related_name="+"
    )

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name
