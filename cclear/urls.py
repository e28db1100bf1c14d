"""The URL map: the apps bring their own."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.auth import views as auth_views
from django.urls import URLPattern, URLResolver, include, path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from cclear import views
from monitors.access import viewer_required

urlpatterns: list[URLPattern | URLResolver] = [
    path("healthz", views.healthz, name="healthz"),
    path("metrics", views.Metrics.as_view(), name="metrics"),
    path("accounts/login/", auth_views.LoginView.as_view(redirect_authenticated_user=True), name="login"),
    path("accounts/logout/", auth_views.LogoutView.as_view(), name="logout"),
    path("accounts/password/", auth_views.PasswordChangeView.as_view(success_url="/"), name="password_change"),
    path("account/", include("monitors.account_urls")),
    path("admin/", admin.site.urls),
    path("api/v1/", include("monitors.api.urls")),
    path("", include("monitors.captures.urls")),
    path("", include("dashboards.packets.urls")),
    path("api/schema/", SpectacularAPIView.as_view(), name="schema"),
    path("api/docs/", viewer_required(SpectacularSwaggerSplitView.as_view(url_name="schema")), name="api-docs"),
    path("", include("monitors.urls")),
    path("", include("dashboards.urls")),
]
