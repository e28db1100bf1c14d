"""Our own Python source as syntax trees, for the tests that hold its shape and its layers."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("wire", "cstor", "cvu", "lab", "monitors", "dashboards", "cclear")


@dataclass(frozen=True)
class Source:
    """One file: where it is, what it is called, what is in it."""

    path: Path
    module: str
    text: str
    tree: ast.Module

    @property
    def package(self) -> str:
        return self.module.partition(".")[0]

    def imports(self) -> Iterator[tuple[int, str]]:
        """Line and full name of each module, or name in a module, that is imported."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from ((node.lineno, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                stem = self._absolute(node)
                yield from ((node.lineno, f"{stem}.{alias.name}") for alias in node.names)

    def _absolute(self, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        is_package = self.path.name == "__init__.py"
        parts = self.module.split(".")
        parts = parts[: len(parts) - node.level + is_package]
        return ".".join([*parts, *([node.module] if node.module else [])])


@cache
def sources() -> tuple[Source, ...]:
    """Every file of our packages; what Django generated (migrations) is left out."""
    paths = (path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py")))
    return tuple(_read(path) for path in paths if "migrations" not in path.parts)


def _read(path: Path) -> Source:
    text = path.read_text()
    names = list(path.relative_to(ROOT).with_suffix("").parts)
    if names[-1] == "__init__":
        names.pop()
    return Source(path, ".".join(names), text, ast.parse(text, str(path)))
