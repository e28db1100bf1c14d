"""Walks the URL map: each page and each API call is either public by name here or refuses whoever may not see it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from monitors.access import LEVELS

# What a visitor without login may ask for, and why.
PUBLIC = {
    "healthz": "load balancers ask it",
    "login": "the way in",
    "logout": "ends a session; without one there is nothing to end",
}
# Django's own pages, which check for themselves.
FOREIGN = ("admin/", "accounts/")


@dataclass(frozen=True)
class Route:
    """One entry of the URL map."""

    pattern: str
    name: str
    view: Any

    def __str__(self) -> str:
        return self.name or self.pattern

    @property
    def path(self) -> str:
        """An address that this entry answers: 1 for numbers and texts, the word `x` for slugs and the like."""
        text = re.sub(r"<(?:int|str):\w+>|<\w+>", "1", self.pattern)
        return "/" + re.sub(r"<\w+:\w+>", "x", text)


def _text(entry: URLPattern | URLResolver) -> str:
    """The pattern in the form of path(); routers of the API write theirs as regular expressions."""
    text = str(entry.pattern)
    return re.sub(r"\(\?P<(\w+)>[^)]*\)", r"<\1>", text.strip("^$")).replace("\\", "") if "^" in text else text


def _routes(patterns: list[Any], prefix: str = "") -> Iterator[Route]:
    for entry in patterns:
        text = prefix + _text(entry)
        if isinstance(entry, URLResolver):
            yield from _routes(entry.url_patterns, text)
        elif isinstance(entry, URLPattern):
            yield Route(text, entry.name or "", entry.callback)


ROUTES = [route for route in _routes(get_resolver().url_patterns) if not route.pattern.startswith(FOREIGN)]
GUARDED = [route for route in ROUTES if route.name not in PUBLIC]


def _is_refused(answer: Any) -> bool:
    """Sent to the login, or told that it is not allowed; never the thing itself, nor a crash on the way to it."""
    return answer.status_code in (401, 403) or (answer.status_code == 302 and "/accounts/login/" in answer.url)


@pytest.mark.django_db
@pytest.mark.parametrize("method", ["get", "post", "put", "patch", "delete"])
@pytest.mark.parametrize("route", GUARDED, ids=str)
def test_it_refuses_a_visitor_without_login(client: Client, route: Route, method: str) -> None:
    answer = getattr(client, method)(route.path)
    assert _is_refused(answer) or answer.status_code == 405, f"{method} {route.path}: {answer.status_code}"


@pytest.mark.django_db
@pytest.mark.parametrize("method", ["get", "post", "put", "patch", "delete"])
@pytest.mark.parametrize("route", GUARDED, ids=str)
def test_it_refuses_a_user_without_any_role(client: Client, route: Route, method: str) -> None:
    client.force_login(get_user_model().objects.create_user("stranger"))
    answer = getattr(client, method)(route.path)
    assert _is_refused(answer) or answer.status_code == 405, f"{method} {route.path}: {answer.status_code}"


def _level(route: Route) -> str:
    """What the view says it needs: by its decorator (monitors.access), or as attribute of an API view."""
    return str(getattr(route.view, "access_level", "") or getattr(getattr(route.view, "cls", None), "level", ""))


@pytest.mark.parametrize("route", [route for route in GUARDED if not hasattr(route.view, "cls")], ids=str)
def test_it_declares_the_level_of_each_page(route: Route) -> None:
    assert _level(route) in LEVELS


@pytest.mark.django_db
@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize("route", [route for route in GUARDED if _level(route) not in ("", "view")], ids=str)
def test_it_refuses_a_viewer_what_operators_do(client: Client, route: Route, method: str) -> None:
    viewer = get_user_model().objects.create_user("victor")
    viewer.groups.add(Group.objects.get(name="viewer"))
    client.force_login(viewer)
    answer = getattr(client, method)(route.path)
    assert answer.status_code in (403, 405), f"{method} {route.path}: {answer.status_code}"


def test_it_finds_the_url_map() -> None:
    assert {"healthz", "login"} <= {route.name for route in _routes(get_resolver().url_patterns)}
    assert len(GUARDED) >= 10
