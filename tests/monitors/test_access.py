"""Roles: what each may, from the first migration on."""

from __future__ import annotations

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser, Group, Permission
from django.core.exceptions import PermissionDenied

from monitors.access import LEVELS, allows, require

pytestmark = pytest.mark.django_db
MAY = {
    "viewer": {"view"},
    "operator": {"view", "operate", "download_packets"},
    "admin": {"view", "operate", "download_packets", "admin"},
}


@pytest.mark.parametrize("role", MAY)
def test_it_grants_each_role_its_levels(role: str) -> None:
    user = get_user_model().objects.create_user("someone")
    user.groups.add(Group.objects.get(name=role))
    assert {level for level in LEVELS if allows(user, level)} == MAY[role]
    assert user.is_staff == (role != "viewer")


def test_it_grants_nothing_to_strangers() -> None:
    user = get_user_model().objects.create_user("someone")
    assert not any(allows(who, level) for level in LEVELS for who in (user, AnonymousUser()))
    with pytest.raises(PermissionDenied, match="May download packets"):
        require(user, "download_packets")


def test_it_has_a_permission_to_download_packets() -> None:
    assert Permission.objects.get(codename="download_packets").content_type.app_label == "monitors"


def test_it_lets_admins_manage_users() -> None:
    user = get_user_model().objects.create_user("ada")
    user.groups.add(Group.objects.get(name="admin"))
    assert user.has_perm("auth.change_user")
    assert user.has_perm("monitors.add_monitor")
