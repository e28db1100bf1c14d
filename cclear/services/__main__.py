"""`python -m cclear.services -- COMMAND`: run a command with a database and a broker, and stop them after it."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from types import FrameType

from cclear.environment import EnvironmentProblem, data_dir
from cclear.services.account import ServiceProblem
from cclear.services.servers import Servers, private_environment

LOOK_EVERY_S = 2.0


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m cclear.services",
        description="Run COMMAND with PostgreSQL and Valkey: private ones in DATA_DIR, started now or adopted, unless "
        "DATABASE_URL and CELERY_BROKER_URL name others. They stop when the last such command has ended.",
    )
    parser.add_argument("command", nargs="+", metavar="COMMAND", help="after --, with its own options")
    options = parser.parse_args()
    servers = Servers(data_dir())
    # From here on a signal must not end us before the servers are stopped.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        servers.start()
        return _run(options.command, servers)
    except KeyboardInterrupt:
        return 130
    except (ServiceProblem, EnvironmentProblem) as problem:
        print(f"cclear: {problem}", file=sys.stderr)
        return 1
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        servers.stop()


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _run(command: list[str], servers: Servers) -> int:
    """The command's exit status; signals that only we got are handed on to it, and servers that die are started."""
    try:
        process = subprocess.Popen(command, env=os.environ | private_environment(data_dir()))
    except OSError as error:
        raise ServiceProblem(f"{command[0]} cannot be run: {error.strerror}") from None

    def hand_on(number: int, frame: FrameType | None) -> None:
        if number == signal.SIGINT and _terminal_tells_all():
            return
        process.send_signal(signal.SIGINT if number == signal.SIGINT else signal.SIGTERM)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, hand_on)
    status = _wait(process, servers)
    return status if status >= 0 else 128 - status


def _wait(process: subprocess.Popen[bytes], servers: Servers) -> int:
    while True:
        try:
            return process.wait(timeout=LOOK_EVERY_S)
        except subprocess.TimeoutExpired:
            for line in servers.heal():
                print(f"{time.strftime('%H:%M:%S')}  {line}", file=sys.stderr, flush=True)


def _terminal_tells_all() -> bool:
    """Whether a Ctrl-C reaches the command by itself, as a member of the terminal's foreground group."""
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)


if __name__ == "__main__":
    sys.exit(main())
