"""Closed registries and their discovery: a kind is a file in a package, never a line in a list.

`Registry` is an ordered dictionary that refuses duplicates, names what it knows when asked for what it does not
know, and takes nothing more once frozen. `autodiscover` imports every public module of a package, so that each
registers itself.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Registry(Generic[T]):
    """Kinds by key, in the order of their registration."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._items: dict[str, T] = {}
        self._frozen = False

    def add(self, key: str, item: T) -> T:
        """Register `item`; ValueError if the key is taken or the registry is frozen."""
        if self._frozen:
            raise ValueError(f"the registry of {self.name} is frozen; {key!r} came too late")
        if key in self._items:
            raise ValueError(f"{self.name} {key!r} is registered twice")
        self._items[key] = item
        return item

    def freeze(self) -> None:
        """Take no more items: called once discovery is over."""
        self._frozen = True

    def __getitem__(self, key: str) -> T:
        try:
            return self._items[key]
        except KeyError:
            known = ", ".join(self._items) or "none"
            raise KeyError(f"unknown {self.name} {key!r}; known: {known}") from None

    def get(self, key: str) -> T | None:
        return self._items.get(key)

    def __contains__(self, key: object) -> bool:
        return key in self._items

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def keys(self) -> list[str]:
        return list(self._items)

    def values(self) -> list[T]:
        return list(self._items.values())

    def items(self) -> list[tuple[str, T]]:
        return list(self._items.items())


def autodiscover(package: str) -> None:
    """Import every public module of `package` in order of name; importing is what registers them."""
    root = importlib.import_module(package)
    for module in sorted(pkgutil.iter_modules(root.__path__), key=lambda found: found.name):
        if not module.name.startswith("_"):
            importlib.import_module(f"{package}.{module.name}")
