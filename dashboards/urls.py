"""Pages of dashboards, the figures on them, and the query that both screen and API ask."""

from __future__ import annotations

from django.urls import include, path

from dashboards.api.dashboards import router
from dashboards.api.query import QueryView
from dashboards.views import definitions, edit, export, figures, pages, welcome

urlpatterns = [
    path("", pages.start, name="start"),
    path("welcome/", welcome.welcome, name="welcome"),
    path("welcome/steps/", welcome.steps, name="welcome-steps"),
    path("metrics-explained/", definitions.definitions, name="definitions"),
    path("d/", pages.dashboards, name="dashboards"),
    path("d/new/", edit.new, name="dashboard-new"),
    path("d/<slug:slug>/", pages.dashboard, name="dashboard"),
    path("d/<slug:slug>/export/", export.export, name="dashboard-export"),
    path("d/<slug:slug>/edit/", edit.edit, name="dashboard-edit"),
    path("d/<slug:slug>/copy/", edit.copy, name="dashboard-copy"),
    path("d/<slug:slug>/delete/", edit.delete, name="dashboard-delete"),
    path("d/<slug:slug>/panels/add/", edit.add_panel, name="panel-add"),
    path("d/<slug:slug>/panels/<int:pk>/edit/", edit.edit_panel, name="panel-edit"),
    path("d/<slug:slug>/panels/<int:pk>/move/", edit.move_panel, name="panel-move"),
    path("d/<slug:slug>/panels/<int:pk>/remove/", edit.remove_panel, name="panel-remove"),
    path("d/<slug:slug>/panels/<int:pk>/figure/", figures.figure, name="panel-figure"),
    path("d/<slug:slug>/panels/preview/", figures.preview, name="panel-preview"),
    path("api/v1/", include(router.urls)),
    path("api/v1/query", QueryView.as_view(), name="api-query"),
]
