"""The calls of the API. Paths end without a slash."""

from __future__ import annotations

from django.urls import path
from drf_spectacular.views import SpectacularAPIView

from cstor.api.healthz import healthz
from cstor.api.metrics import metrics
from cstor.api.packets import packet_count, packets
from cstor.api.prometheus import prometheus
from cstor.api.series import SeriesView
from cstor.api.sessions import sessions
from cstor.api.status import status

urlpatterns = [
    path("healthz", healthz),
    path("metrics", prometheus),
    path("api/schema/", SpectacularAPIView.as_view()),
    path("api/v1/status", status),
    path("api/v1/metrics", metrics),
    path("api/v1/series", SeriesView.as_view()),
    path("api/v1/sessions", sessions),
    path("api/v1/packets", packets),
    path("api/v1/packets/count", packet_count),
]
handler404 = "cstor.api.problems.not_found"
handler500 = "cstor.api.problems.failed"
