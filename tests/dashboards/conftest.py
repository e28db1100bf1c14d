"""The cast and the data of dashboard tests: Olivia operates, Victor looks, a stranger may nothing.

Models are imported inside the fixtures: this file is read before Django is set up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from django.test import Client

    from tests.dashboards.traffic import Traffic


@pytest.fixture(autouse=True)
def _fresh_caches() -> None:
    """Each test has its own rows: nothing that a process remembers of an earlier one holds."""
    from monitors.nodes import alarm
    from monitors.series import partitions, write

    alarm.forget()
    partitions.forget()
    write.forget()


@pytest.fixture
def traffic(db: None) -> Traffic:
    """Ten minutes of two monitors on two nodes, with the raw values at hand."""
    from tests.dashboards.traffic import make_traffic

    return make_traffic()


def _user(name: str, role: str = "") -> User:
    from django.contrib.auth.models import Group, User

    user = User.objects.create_user(name, password=name)
    if role:
        user.groups.add(Group.objects.get(name=role))
    return user


@pytest.fixture
def olivia(db: None) -> User:
    return _user("olivia", "operator")


@pytest.fixture
def victor(db: None) -> User:
    return _user("victor", "viewer")


@pytest.fixture
def stranger(db: None) -> User:
    return _user("stranger")


@pytest.fixture
def operator(client: Any, olivia: User) -> Client:
    client.force_login(olivia)
    return client


@pytest.fixture
def viewer(client: Any, victor: User) -> Client:
    client.force_login(victor)
    return client
