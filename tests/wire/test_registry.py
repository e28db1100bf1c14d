from __future__ import annotations

import pytest

from wire.registry import Registry, autodiscover


def test_it_keeps_the_order_of_registration() -> None:
    kinds: Registry[int] = Registry("kind")
    kinds.add("b", 1)
    kinds.add("a", 2)
    assert kinds.items() == [("b", 1), ("a", 2)]
    assert "a" in kinds and len(kinds) == 2 and kinds.get("c") is None


def test_it_refuses_duplicates_and_latecomers() -> None:
    kinds: Registry[int] = Registry("kind")
    kinds.add("a", 1)
    with pytest.raises(ValueError, match="kind 'a' is registered twice"):
        kinds.add("a", 2)
    kinds.freeze()
    with pytest.raises(ValueError, match="frozen"):
        kinds.add("b", 2)


def test_it_names_what_it_knows() -> None:
    kinds: Registry[int] = Registry("panel kind")
    kinds.add("table", 1)
    with pytest.raises(KeyError, match="unknown panel kind 'tabel'; known: table"):
        kinds["tabel"]


def test_it_discovers_every_module_once() -> None:
    autodiscover("cstor.metrics.groups")
    autodiscover("cstor.metrics.groups")
