"""The packets page and its API call."""

from __future__ import annotations

from django.urls import path

from dashboards.views.packets import PacketsView, packets, packets_count

urlpatterns = [
    path("packets/", packets, name="packets"),
    path("packets/count/", packets_count, name="packets-count"),
    path("api/v1/packets", PacketsView.as_view(), name="api-packets"),
]
