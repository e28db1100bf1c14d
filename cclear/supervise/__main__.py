"""`python -m cclear.supervise`: prepare, start everything, tell where it is, keep it running until Ctrl-C.

Run it through `python -m cclear.services`, which brings the database and the broker and stops them afterwards.
"""

from __future__ import annotations

import ctypes
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from types import FrameType

from cclear import __version__, data_dir
from cclear.environment import ROOT, EnvironmentProblem
from cclear.services.account import ServiceProblem
from cclear.supervise import configuration
from cclear.supervise.layout import Layout, PortProblem
from cclear.supervise.watch import Supervisor, Watch

_LOOK_S = 1.0
_START_S = 180.0
_PR_SET_PDEATHSIG = 1


class Interrupted(Exception):
    """Ctrl-C, or the signal that asks us to end."""


def main() -> int:
    _hear(_interrupt)
    try:
        layout = Layout.from_environment()
        layout.must_be_free()
        data_dir.prepare(layout.data)
        return _run(layout)
    except Interrupted:
        return 130
    except (EnvironmentProblem, PortProblem, ServiceProblem) as problem:
        print(f"cclear: {problem}", file=sys.stderr)
        return 1


def _interrupt(number: int, frame: FrameType | None) -> None:
    # Heard once: a second one must not break off the stopping.
    _hear(signal.SIG_IGN)
    raise Interrupted


def _hear(handler: Callable[[int, FrameType | None], None] | signal.Handlers) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, handler)


def _run(layout: Layout) -> int:
    say(f"cClear {__version__}, data in {layout.data}")
    configuration.write(layout)
    shown = (layout.data / "first-password").exists()
    kernels = _compile_kernels()
    try:
        status = subprocess.run([sys.executable, str(ROOT / "manage.py"), "prepare", "--this-machine"], check=False)
        if status.returncode != 0:
            return status.returncode
        _wait_for_kernels(kernels)
    finally:
        kernels.kill()
    supervisor = Supervisor(configuration.control_socket(layout))
    process = _start(layout)
    try:
        watch = Watch(say)
        _wait_until_up(layout, process, supervisor, watch)
        _tell(layout, show_password=not shown)
        _keep(process, supervisor, watch)
        return 1
    except Interrupted:
        return 0
    finally:
        _stop(process)


def say(line: str) -> None:
    print(f"{time.strftime('%H:%M:%S')}  {line}", flush=True)


def _compile_kernels() -> subprocess.Popen[bytes]:
    """Once for both nodes, which would else do it side by side, and while the database is prepared."""
    command = "from cstor.engine import warm_up; warm_up()"
    return subprocess.Popen(
        [sys.executable, "-c", command],
        cwd=ROOT,
        # What is wrong there the nodes will say themselves.
        stderr=subprocess.DEVNULL,
        preexec_fn=_end_with_parent,  # noqa: PLW1509 - we have no threads
    )


def _wait_for_kernels(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        began = time.monotonic()
        say("Compiling the packet kernels (after a change of the source only, up to a minute)")
        process.wait()
        say(f"Compiling the packet kernels: {time.monotonic() - began:.1f} s")


def _start(layout: Layout) -> subprocess.Popen[bytes]:
    say("Starting capture nodes, workers, web, broker and lab")
    config = layout.data / "config" / "supervisord.conf"
    return subprocess.Popen(
        [sys.executable, "-m", "supervisor.supervisord", "--configuration", str(config)],
        stdin=subprocess.DEVNULL,
        # Ctrl-C is for us: we ask supervisor to stop the processes in their order.
        start_new_session=True,
        # Should we be killed, it is asked all the same.
        preexec_fn=_end_with_parent,  # noqa: PLW1509 - we have no threads
    )


def _end_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _wait_until_up(layout: Layout, process: subprocess.Popen[bytes], supervisor: Supervisor, watch: Watch) -> None:
    """Until every part answers; what does not come up in time is told and goes on being tried."""
    deadline = time.monotonic() + _START_S
    waiting = {"web": f"{layout.web_url}/healthz"} | {node.name: f"{node.url}/healthz" for node in layout.nodes}
    while waiting and process.poll() is None:
        watch.look(supervisor.states())
        waiting = {name: url for name, url in waiting.items() if not _answers(url)}
        if waiting and time.monotonic() > deadline:
            say(f"{', '.join(waiting)} did not come up within {_START_S:.0f} s, going on: see {layout.data / 'logs'}")
            return
        time.sleep(0.5)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False


def _tell(layout: Layout, show_password: bool) -> None:
    file = layout.data / "first-password"
    say("cClear is up")
    print(f"\n    {layout.web_url}/\n", flush=True)
    if file.exists() and show_password:
        print(f"    user admin, password {file.read_text().strip()}   (shown this once, kept in {file})\n", flush=True)
    elif file.exists():
        print(f"    user admin, password of the first start as in {file}\n", flush=True)
    print(f"    Logs are in {layout.data / 'logs'}. Ctrl-C stops everything.\n", flush=True)


def _keep(process: subprocess.Popen[bytes], supervisor: Supervisor, watch: Watch) -> None:
    while process.poll() is None:
        for state in watch.look(supervisor.states()):
            supervisor.start(state)
        time.sleep(_LOOK_S)
    say(f"supervisor ended by itself (exit status {process.returncode})")


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Ask supervisor to stop all in order and wait for it."""
    _hear(signal.SIG_IGN)
    if process.poll() is None:
        say("Stopping lab, broker, web, workers and capture nodes, in this order")
        process.terminate()
        process.wait()
    say("Everything has stopped")


if __name__ == "__main__":
    sys.exit(main())
