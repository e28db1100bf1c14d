"""Host names to addresses, with a limit, and what is said where there are none."""

from __future__ import annotations

import socket

import pytest

from monitors.nodes.resolve import ResolveError, is_address, resolve
from tests.monitors.nodes.names import Names, names

__all__ = ["names"]


def test_it_sorts_addresses_by_number(names: Names) -> None:
    names.set("c.test", "10.0.0.10", "10.0.0.9", "10.0.0.9")
    assert resolve("c.test") == ["10.0.0.9", "10.0.0.10"]


def test_it_counts_no_machine_twice(names: Names) -> None:
    """Machines with both families have two addresses each."""
    names.set("c.test", "10.0.0.9", "fd00::9", "fe80::9%eth0")
    assert resolve("c.test") == ["10.0.0.9"]
    names.set("c.test", "fd00::a", "fd00::9", "fe80::9%eth0")
    assert resolve("c.test") == ["fd00::9", "fd00::a"]


def test_it_says_why_there_is_none(names: Names) -> None:
    with pytest.raises(ResolveError, match=r"c\.test does not resolve: the name server knows no such name"):
        resolve("c.test")
    names.error = socket.EAI_AGAIN
    with pytest.raises(ResolveError, match="no name server answers"):
        resolve("c.test")
    with pytest.raises(ResolveError, match="does not resolve"):
        resolve("a" * 70 + ".test.example." + "b" * 300)


def test_it_does_not_wait_for_ever(names: Names) -> None:
    names.delay_s = 0.5
    with pytest.raises(ResolveError, match=r"has not answered for c\.test"):
        resolve("c.test", timeout_s=0.05)


@pytest.mark.parametrize(("host", "answer"), [("10.0.0.1", True), ("fd00::1", True), ("c.test", False), ("", False)])
def test_it_tells_addresses_from_names(host: str, answer: bool) -> None:
    assert is_address(host) is answer
