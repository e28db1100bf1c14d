"""Tokens: kept as hashes, bound to scopes and to what their owner may do."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.test import Client
from django.utils import timezone

from monitors.models import ApiToken, Node, Scope

pytestmark = pytest.mark.django_db


def user_in(group: str | None, name: str = "olivia") -> object:
    user = get_user_model().objects.create_user(name, password="a long password")
    if group:
        user.groups.add(Group.objects.get(name=group))
    return user


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


def test_it_lets_a_reader_read() -> None:
    Node.objects.create(name="cstor-a", url="http://127.0.0.1:1", token="secret of the node")
    _, secret = ApiToken.issue(user_in("viewer"), "script", [Scope.READ])
    answer = Client().get("/api/v1/nodes/", headers=bearer(secret))
    assert answer.status_code == 200
    assert answer.json()[0]["name"] == "cstor-a"
    assert "secret of the node" not in answer.text


def test_it_keeps_only_a_hash() -> None:
    token, secret = ApiToken.issue(user_in("viewer"), "script", [Scope.READ])
    stored = ApiToken.objects.values().get(pk=token.pk)
    assert secret not in str(stored)
    assert secret.startswith(stored["prefix"]) and len(stored["prefix"]) < len(secret) / 3


def test_it_refuses_what_the_scope_lacks() -> None:
    _, secret = ApiToken.issue(user_in("operator"), "script", [Scope.READ])
    answer = Client().get("/api/v1/packets?filter=tcp", headers=bearer(secret))
    assert answer.status_code == 403
    assert "lacks the scope 'packets'; it has: read" in answer.json()["detail"]


def test_it_refuses_what_the_owner_may_not() -> None:
    _, secret = ApiToken.issue(user_in("viewer"), "script", [Scope.READ, Scope.PACKETS])
    answer = Client().get("/api/v1/packets?filter=tcp", headers=bearer(secret))
    assert answer.status_code == 403
    assert "monitors.download_packets" in answer.json()["detail"]


def test_it_refuses_revoked_expired_and_unknown_tokens() -> None:
    user = user_in("viewer")
    revoked, revoked_secret = ApiToken.issue(user, "old", [Scope.READ])
    revoked.delete()
    _, expired = ApiToken.issue(user, "expired", [Scope.READ], timezone.now() - timedelta(seconds=1))
    for secret in (revoked_secret, expired, "ccl_nonsense", "\x00"):
        answer = Client().get("/api/v1/nodes/", headers=bearer(secret))
        assert answer.status_code == 401, secret
        assert answer.headers["WWW-Authenticate"] == 'Bearer realm="cClear"'


def test_it_refuses_the_tokens_of_a_user_who_left() -> None:
    user = user_in("viewer")
    _, secret = ApiToken.issue(user, "script", [Scope.READ])
    get_user_model().objects.update(is_active=False)
    assert Client().get("/api/v1/nodes/", headers=bearer(secret)).status_code == 401


def test_it_serves_a_session_of_a_viewer_but_not_of_a_stranger() -> None:
    viewer, stranger = Client(), Client()
    viewer.force_login(user_in("viewer"))
    stranger.force_login(user_in(None, "stranger"))
    assert viewer.get("/api/v1/monitors/").status_code == 200
    assert stranger.get("/api/v1/monitors/").status_code == 403


def test_changes_need_their_scope_and_their_role() -> None:
    admin, viewer = user_in("admin"), user_in("viewer", "victor")
    calls = [(admin, [Scope.READ], 403), (viewer, [Scope.READ, Scope.WRITE], 403), (admin, [Scope.WRITE], 400)]
    for user, scopes, code in calls:
        _, secret = ApiToken.issue(user, "script", scopes)
        for path in ("/api/v1/nodes/", "/api/v1/monitors/", "/api/v1/node-groups/"):
            answer = Client().post(path, {}, content_type="application/json", headers=bearer(secret))
            assert answer.status_code == code, (path, scopes)
