"""A dashboard: panels under one bar. Built-in ones are data like all others, only that nobody may edit them."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.urls import reverse
from django.utils.text import slugify

from dashboards.queries.timerange import QUICK

REFRESH = [(0, "Off"), (5, "5 s"), (10, "10 s"), (30, "30 s"), (60, "1 min"), (300, "5 min")]
RESERVED_SLUGS = {"new"}


class Dashboard(models.Model):
    """`default_start` is the range a visit without one begins with: from there until now."""

    title = models.CharField(max_length=120)
    slug = models.SlugField(max_length=120, unique=True, blank=True)
    description = models.CharField(max_length=300, blank=True)
    builtin = models.BooleanField(default=False, editable=False)
    default_start = models.CharField("opens with", max_length=20, choices=QUICK, default="now-1h")
    refresh_s = models.IntegerField("refresh", choices=REFRESH, default=10)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, editable=False, on_delete=models.SET_NULL, related_name="+"
    )
    created = models.DateTimeField(auto_now_add=True)
    changed = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["-builtin", "title"]

    def __str__(self) -> str:
        return self.title

    def save(self, *args: object, **kwargs: object) -> None:
        if not self.slug:
            self.slug = free_slug(self.title)
        super().save(*args, **kwargs)  # type: ignore[arg-type]

    def get_absolute_url(self) -> str:
        return reverse("dashboard", args=[self.slug])

    @property
    def has_monitor(self) -> bool:
        """Whether any panel leaves its monitor to the bar."""
        return any(panel.has_monitor_variable for panel in self.panels.all())


def free_slug(title: str) -> str:
    """A slug nobody has yet, and that no page of its own has."""
    stem = slugify(title)[:110] or "dashboard"
    slug, n = stem, 1
    while slug in RESERVED_SLUGS or Dashboard.objects.filter(slug=slug).exists():
        n += 1
        slug = f"{stem}-{n}"
    return slug
