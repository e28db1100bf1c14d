"""Who visits in tests: Olivia operates, Victor views, Ada administers, the stranger has no role."""

from __future__ import annotations

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.test import Client


def visitor(role: str | None) -> Client:
    """A client logged in as someone with this role (viewer, operator, admin), or with none."""
    name = {"operator": "olivia", "viewer": "victor", "admin": "ada", None: "stranger"}[role]
    user = get_user_model().objects.create_user(name)
    if role is not None:
        user.groups.add(Group.objects.get(name=role))
    client = Client()
    client.force_login(user)
    return client
