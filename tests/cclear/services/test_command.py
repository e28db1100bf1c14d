"""`python -m cclear.services -- COMMAND`, with the real servers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import psycopg2
import pytest

from cclear.environment import ROOT
from cclear.services.account import Account
from cclear.services.postgres import Postgres
from cclear.services.valkey import Valkey


def _environment(data: Path) -> dict[str, str]:
    names = ("DATABASE_URL", "CELERY_BROKER_URL", "DJANGO_SETTINGS_MODULE")
    return {name: value for name, value in os.environ.items() if name not in names} | {"DATA_DIR": str(data)}


def _start(data: Path, *command: str, **options: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "cclear.services", "--", *command],
        cwd=ROOT,
        env=_environment(data),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def _run(data: Path, *command: str) -> subprocess.CompletedProcess[str]:
    process = _start(data, *command)
    out, err = process.communicate(timeout=60)
    return subprocess.CompletedProcess(command, process.returncode, out, err)


def _query(url: str, text: str) -> object:
    connection = psycopg2.connect(url)
    try:
        with connection.cursor() as cursor:
            cursor.execute(text)
            row = cursor.fetchone()
    finally:
        connection.close()
    assert row is not None
    return row[0]


def _wait_for(path: Path) -> None:
    deadline = time.monotonic() + 30
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} did not appear"
        time.sleep(0.02)


def test_it_gives_the_command_both_servers_and_its_exit_status_back(data: Path) -> None:
    script = (
        f"echo $DATABASE_URL; echo $CELERY_BROKER_URL; stat -c %a {data} {data}/run {data}/postgres/password; exit 7"
    )
    done = _run(data, "sh", "-c", script)
    database, broker, *modes = done.stdout.split()
    assert done.returncode == 7
    assert database.startswith("postgresql://cclear:")
    assert broker.startswith("redis+socket://")
    assert modes == ["700", "700", "600"]
    assert not Postgres(data).is_running()
    assert not Valkey(data).is_running()


def test_it_opens_no_tcp_port_and_asks_for_the_password(data: Path) -> None:
    process = _start(data, "sh", "-c", f"touch {data}/ready; exec sleep 60")
    _wait_for(data / "ready")
    url = Postgres(data).url()
    assert _query(url, "SHOW listen_addresses") == ""
    assert _query(url, "SELECT count(*) FROM pg_hba_file_rules WHERE auth_method <> 'scram-sha-256'") == 0
    with pytest.raises(psycopg2.OperationalError, match="password"):
        psycopg2.connect(url.replace(url.split(":")[2].split("@")[0], "wrong"))
    process.terminate()
    assert process.wait(timeout=60) == 128 + signal.SIGTERM


def test_it_keeps_the_servers_for_a_command_that_still_runs(data: Path) -> None:
    first = _start(data, "sh", "-c", f"touch {data}/ready; exec sleep 60")
    _wait_for(data / "ready")
    assert _run(data, "true").returncode == 0
    assert Postgres(data).is_running()
    first.send_signal(signal.SIGINT)
    first.wait(timeout=60)
    assert not Postgres(data).is_running()


def test_it_adopts_servers_that_a_killed_command_left(data: Path) -> None:
    first = _start(data, "sh", "-c", f"touch {data}/ready; exec sleep 5")
    _wait_for(data / "ready")
    pid = _query(Postgres(data).url(), "SELECT pg_postmaster_start_time()::text")
    first.kill()
    first.wait(timeout=10)
    assert Postgres(data).is_running()
    done = _run(data, sys.executable, "-c", _ASK_START)
    assert done.stdout.strip() == str(pid)
    assert not Postgres(data).is_running()


_ASK_START = """
import os, psycopg2
cursor = psycopg2.connect(os.environ["DATABASE_URL"]).cursor()
cursor.execute("SELECT pg_postmaster_start_time()::text")
print(cursor.fetchone()[0])
"""


def test_it_starts_a_killed_server_again(data: Path) -> None:
    process = _start(data, "sh", "-c", f"touch {data}/ready; exec sleep 300")
    try:
        _wait_for(data / "ready")
        first = int((data / "postgres" / "data" / "postmaster.pid").read_text().split()[0])
        os.kill(first, signal.SIGKILL)
        (broker,) = [each for each in psutil.process_iter(["cwd"]) if each.info["cwd"] == str(data / "valkey")]
        broker.kill()
        _until(lambda: Valkey(data).is_running() and _is_answered(data))
        assert int((data / "postgres" / "data" / "postmaster.pid").read_text().split()[0]) != first
    finally:
        process.terminate()
        _, err = process.communicate(timeout=60)
    assert "PostgreSQL had died and runs again" in err
    assert "Valkey had died and runs again" in err
    assert not Postgres(data).is_running()


def _is_answered(data: Path) -> bool:
    try:
        return _query(Postgres(data).url(), "SELECT 1") == 1
    except psycopg2.OperationalError:
        return False


def _until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_it_keeps_what_was_written_before(data: Path) -> None:
    write = "import os, psycopg2; c = psycopg2.connect(os.environ['DATABASE_URL']); c.autocommit = True; "
    assert _run(data, sys.executable, "-c", write + "c.cursor().execute('CREATE TABLE kept (n int)')").returncode == 0
    assert _run(data, sys.executable, "-c", write + "c.cursor().execute('SELECT n FROM kept')").returncode == 0


def test_it_says_in_one_line_that_a_command_is_unknown(data: Path) -> None:
    done = _run(data, "no-such-command")
    assert done.returncode == 1
    assert done.stderr == "cclear: no-such-command cannot be run: No such file or directory\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's servers run as another user")
def test_it_says_which_folder_the_system_user_may_not_pass(data: Path) -> None:
    data.parent.chmod(0o700)
    done = _run(data, "true")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert f"may not pass through {data.parent} (mode 0700)" in done.stderr


def test_it_starts_nothing_that_is_given_from_outside(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    environment = _environment(data) | {"DATABASE_URL": "postgresql://x@y/z", "CELERY_BROKER_URL": "redis://y"}
    command = [sys.executable, "-m", "cclear.services", "--", "sh", "-c", "echo $DATABASE_URL $CELERY_BROKER_URL"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "postgresql://x@y/z redis://y"
    assert not (data / "postgres").exists()


def test_it_runs_as_a_system_user_only_for_root(data: Path) -> None:
    account = Account.of_servers(data)
    assert account.switches == (os.geteuid() == 0)
    assert account.uid != 0
