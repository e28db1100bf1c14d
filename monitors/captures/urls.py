"""Pages around uploaded captures."""

from __future__ import annotations

from django.urls import path

from monitors.views.captures import capture, delete_capture, new_capture

urlpatterns = [
    path("captures/new/", new_capture, name="new-capture"),
    path("captures/<int:pk>/", capture, name="capture"),
    path("captures/<int:pk>/delete/", delete_capture, name="delete-capture"),
]
