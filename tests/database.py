"""The tests' own PostgreSQL: started once for all workers, its template migrated once, each worker on a clone."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg2

from cclear import data_dir
from cclear.environment import parse_database_url
from cclear.services.account import Account
from cclear.services.postgres import Postgres

# What is lost in a crash is made anew by the next run.
UNSAFE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "autovacuum_naptime": "60s"}
TEMPLATE = "cclear_template"


def clone(name: str) -> str:
    """A fresh copy of the migrated template as Django's default database; its URL, for processes of a test."""
    folder = Path(os.environ["CCLEAR_TEST_DATA"])
    database = f"cclear_{name}"
    with _turn(folder):
        server = _start(folder)
        if not (folder / "template-ready").exists():
            _execute(server, f"DROP DATABASE IF EXISTS {TEMPLATE}", f"CREATE DATABASE {TEMPLATE}")
            _use(server.url(TEMPLATE))
            _migrate()
            (folder / "template-ready").touch()
        copy(server, database)
    _use(server.url(database))
    return server.url(database)


def copy(server: Postgres, database: str) -> None:
    """A database of this name, as it is right after the migrations."""
    _execute(server, f"DROP DATABASE IF EXISTS {database}", f"CREATE DATABASE {database} TEMPLATE {TEMPLATE}")


def stop(folder: Path) -> None:
    if (folder / "postgres").exists():
        Postgres(folder).stop()


def _start(folder: Path) -> Postgres:
    Account.of_servers(folder).own(folder)
    data_dir.prepare(folder)
    server = Postgres(folder, UNSAFE)
    server.start()
    return server


def _migrate() -> None:
    from django.core.management import call_command
    from django.db import connection

    call_command("migrate", verbosity=0)
    connection.close()


def _use(url: str) -> None:
    from django.db import connection

    connection.close()
    connection.settings_dict.update(parse_database_url(url))
    # A process that a test starts reads its database from here.
    os.environ["DATABASE_URL"] = url


def _execute(server: Postgres, *statements: str) -> None:
    connection = psycopg2.connect(server.url("postgres"))
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
    finally:
        connection.close()


@contextmanager
def _turn(folder: Path) -> Iterator[None]:
    with (folder / "turn").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
