"""An uploaded capture: files with a store, a node and a monitor of their own.

The row carries the truth: whoever finds it `uploaded` ingests it again from its files, whoever finds it `ready`
serves its store.
"""

from __future__ import annotations

from pathlib import Path

from django.conf import settings
from django.db import models
from django.urls import reverse
from django.utils import timezone


class CaptureState(models.TextChoices):
    UPLOADED = "uploaded", "Waiting to be read"
    INGESTING = "ingesting", "Being read"
    READY = "ready", "Ready"
    FAILED = "failed", "Failed"


class Capture(models.Model):
    """Files that somebody dropped on the page, in the order of their names."""

    name = models.CharField(max_length=120)
    state = models.CharField(max_length=10, choices=CaptureState, default=CaptureState.UPLOADED)
    error = models.TextField(blank=True, default="")
    size_bytes = models.BigIntegerField(default=0)
    summary = models.JSONField(null=True, blank=True)
    node = models.OneToOneField("monitors.Node", null=True, blank=True, on_delete=models.SET_NULL)
    monitor = models.OneToOneField("monitors.Monitor", null=True, blank=True, on_delete=models.SET_NULL)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("capture", args=[self.pk])

    @property
    def folder(self) -> Path:
        """Everything of this capture: the files as they came, and the store made of them."""
        return Path(settings.DATA_DIR) / "captures" / str(self.pk)

    @property
    def store(self) -> Path:
        return self.folder / "store"

    @property
    def files(self) -> list[Path]:
        return sorted((self.folder / "files").iterdir())
