"""What all tests share: a data folder of their own, and for those that need it Django with a real PostgreSQL.

wire, cstor, cvu and lab are tested without Django: it is set up only when a file of the console's tests is collected,
and the database server is started by the first test that asks for it. Each pytest-xdist worker has a database of its
own, cloned from a template that was migrated once.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

TESTS = Path(__file__).resolve().parent
WITHOUT_DJANGO = {"wire", "cstor", "cvu", "lab", "bench", "conformance", "soak"}

pytest_plugins = ["tests.browser"]


def pytest_configure(config: pytest.Config) -> None:
    # The same examples each time: a change is judged by what it changes. The long tests look for new ones.
    settings.register_profile("steady", derandomize=True, database=None)
    if config.getoption("markexpr") != "soak":
        settings.load_profile("steady")
    # The workers of pytest-xdist inherit the folder through the environment.
    if "CCLEAR_TEST_DATA" not in os.environ:
        folder = Path(tempfile.mkdtemp(prefix="cclear-tests-"))
        os.environ["CCLEAR_TEST_DATA"] = os.environ["DATA_DIR"] = str(folder)
        # Compiled kernels outlive the run: they are found by a hash of their sources.
        cache = os.environ.get("XDG_CACHE_HOME") or str(Path("~/.cache").expanduser())
        os.environ.setdefault("NUMBA_CACHE_DIR", str(Path(cache) / "cclear"))
        config.add_cleanup(lambda: _remove(folder))


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> None:
    if not file_path.is_relative_to(TESTS) or file_path.name == "conftest.py":
        return
    part = file_path.relative_to(TESTS).parts[0]
    if part not in WITHOUT_DJANGO:
        _set_up_django(parent.config)


def _set_up_django(config: pytest.Config) -> None:
    if os.environ.get("DJANGO_SETTINGS_MODULE"):
        return
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "cclear.settings",
        "STATIC_MANIFEST": "no",
        "CELERY_BROKER_URL": "memory://",
        # Nothing is there: a test that reaches the database without asking for it must not find one.
        "DATABASE_URL": "postgresql://cclear@/nothing?host=/nonexistent",
    }
    import django
    from pytest_django.plugin import blocking_manager_key

    django.setup()
    config.stash[blocking_manager_key].block()


@pytest.fixture(scope="session")
def django_db_setup(django_test_environment: None, django_db_blocker: Any) -> Iterator[None]:
    """pytest-django's fixture, on a clone of our template instead of a database migrated for each worker."""
    from django.db import connection

    from tests import database

    with django_db_blocker.unblock():
        url = database.clone(os.environ.get("PYTEST_XDIST_WORKER", "main"))
        yield
        connection.close()
    assert url


def _remove(folder: Path) -> None:
    from tests import database

    database.stop(folder)
    shutil.rmtree(folder, ignore_errors=True)
