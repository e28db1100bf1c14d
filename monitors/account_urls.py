"""One's own account."""

from __future__ import annotations

from django.urls import path

from monitors.views.account import account, revoke_token

urlpatterns = [
    path("", account, name="account"),
    path("tokens/<int:pk>/revoke/", revoke_token, name="revoke-token"),
]
