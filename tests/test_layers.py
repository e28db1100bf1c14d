"""Imports point down: wire < cstor, cvu, lab < monitors < dashboards < cclear, and the console stays free of Numba."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.source import PACKAGES, ROOT, Source, sources

# What each package may import of ours, besides itself.
BELOW = {
    "wire": (),
    "cstor": ("wire",),
    "cvu": ("wire",),
    "lab": ("wire",),
    "monitors": ("console doors",),
    "dashboards": ("console doors", "monitors"),
    "cclear": ("console doors", "monitors", "dashboards"),
}
# The only modules below that the console may import: no kernels behind them.
DOORS = ("wire.filters.grammar", "wire.filters.sql", "wire.filters.error", "wire.registry", "cstor.metrics")
KERNELS = ("numba", "llvmlite", "duckdb")


def _ours(name: str) -> bool:
    return name.partition(".")[0] in PACKAGES


def _inside(name: str, module: str) -> bool:
    return name == module or name.startswith(f"{module}.")


def _allowed(source: Source, name: str) -> bool:
    if _inside(name, source.package):
        return True
    for below in BELOW[source.package]:
        if below == "console doors":
            if any(_inside(name, door) for door in DOORS):
                return True
        elif _inside(name, below):
            return True
    return False


@pytest.mark.parametrize("package", PACKAGES)
def test_it_imports_from_below_only(package: str) -> None:
    wrong = [
        f"{source.path.relative_to(ROOT)}:{line}: {name}"
        for source in sources()
        if source.package == package
        for line, name in source.imports()
        if _ours(name) and not _allowed(source, name)
    ]
    assert wrong == []


@pytest.mark.parametrize("package", ["monitors", "dashboards", "cclear"])
def test_it_keeps_kernels_out_of_the_console(package: str) -> None:
    wrong = [
        f"{source.path.relative_to(ROOT)}:{line}: {name}"
        for source in sources()
        if source.package == package
        for line, name in source.imports()
        if name.partition(".")[0] in KERNELS
    ]
    assert wrong == []


def test_it_loads_no_numba_with_the_whole_console() -> None:
    script = (
        "import sys, django; django.setup()\n"
        "import cclear.urls, cclear.wsgi, monitors.tasks\n"
        f"print([name for name in {KERNELS!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], check=False, cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr


@pytest.mark.parametrize("package", ["cstor", "cvu", "lab", "wire"])
def test_it_runs_capture_without_the_console(package: str) -> None:
    """The lower packages import neither the console's libraries nor a database driver; cStor's API alone is Django."""
    banned = ("psycopg2", "celery", "requests") + (() if package == "cstor" else ("django", "rest_framework"))
    wrong = [
        f"{source.path.relative_to(ROOT)}:{line}: {name}"
        for source in sources()
        if source.package == package
        for line, name in source.imports()
        if name.partition(".")[0] in banned
    ]
    assert wrong == []


def test_it_talks_to_nodes_through_their_client_only() -> None:
    users = {
        source.module for source in sources() for _, name in source.imports() if name.partition(".")[0] == "requests"
    }
    assert users <= {"monitors.nodes.client", "monitors.nodes.deadline"}
