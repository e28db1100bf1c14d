"""Keeps every uploaded capture read and served: one `cstor ingest` each, then one `cstor serve` each.

The Capture row carries the truth. The keeper only makes processes agree with rows, once a second, so it can be killed
at any moment: it starts again, reads unfinished captures anew into an empty store and serves the finished ones.
A lock in the database lets one keeper work at a time.
"""

from __future__ import annotations

import ctypes
import json
import logging
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.db import connection, transaction

from monitors.captures.publish import publish
from monitors.models import Capture, CaptureState

log = logging.getLogger(__name__)

ADVISORY_LOCK = 0x63436C43
RESTART_AFTER_S = 10.0
STOP_WITHIN_S = 10.0
_PR_SET_PDEATHSIG = 1


@dataclass
class Child:
    """A process at work for one capture."""

    process: subprocess.Popen[bytes]
    started: float


class Keeper:
    """`run` until `stopped` says so; all state is in the database and on disk."""

    def __init__(self, stopped: Callable[[], bool]) -> None:
        self.stopped = stopped
        self.ingests: dict[int, Child] = {}
        self.servers: dict[int, Child] = {}

    def run(self) -> None:
        """Work once a second, then stop the children."""
        try:
            while not self.stopped():
                if self._holds_lock():
                    self.step()
                time.sleep(1)
        finally:
            for child in (*self.ingests.values(), *self.servers.values()):
                _stop(child.process)

    def step(self) -> None:
        """Make processes agree with rows, once."""
        captures = {capture.pk: capture for capture in Capture.objects.select_related("node", "created_by")}
        for number in [number for number in (*self.ingests, *self.servers) if number not in captures]:
            self._drop(number)
        for capture in captures.values():
            if capture.state in (CaptureState.UPLOADED, CaptureState.INGESTING):
                self._ingest(capture)
            elif capture.state == CaptureState.READY:
                self._serve(capture)
        _sweep(set(captures))

    def _holds_lock(self) -> bool:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_lock(%s)", [ADVISORY_LOCK])
            return bool(cursor.fetchone()[0])

    def _ingest(self, capture: Capture) -> None:
        child = self.ingests.get(capture.pk)
        if child is None:
            shutil.rmtree(capture.store, ignore_errors=True)
            command = ["ingest", "--store", str(capture.store), *map(str, capture.files)]
            self.ingests[capture.pk] = _start(command, capture.folder / "ingest.log")
            Capture.objects.filter(pk=capture.pk).update(state=CaptureState.INGESTING, error="")
        elif child.process.poll() is not None:
            del self.ingests[capture.pk]
            self._ingested(capture)

    def _ingested(self, capture: Capture) -> None:
        summary, told = read_summary(capture.folder / "ingest.log")
        told = told.replace(f"{capture.folder / 'files'}/", "")
        if not summary or not summary.get("packets"):
            told = told or "No packets were found in it."
            Capture.objects.filter(pk=capture.pk).update(state=CaptureState.FAILED, error=told, summary=summary)
            return
        Capture.objects.filter(pk=capture.pk).update(state=CaptureState.READY, error=told, summary=summary)
        shutil.rmtree(capture.folder / "files", ignore_errors=True)

    def _serve(self, capture: Capture) -> None:
        child = self.servers.get(capture.pk)
        if child and child.process.poll() is None:
            return
        if child and time.monotonic() - child.started < RESTART_AFTER_S:
            return
        token_file = capture.folder / "token"
        token = _token(token_file)
        port = free_port()
        command = [
            "serve",
            "--store",
            str(capture.store),
            "--listen",
            f"127.0.0.1:{port}",
            "--token-file",
            str(token_file),
        ]
        self.servers[capture.pk] = _start(command, capture.folder / "serve.log")
        with transaction.atomic():
            publish(Capture.objects.select_for_update().get(pk=capture.pk), f"http://127.0.0.1:{port}", token)

    def _drop(self, number: int) -> None:
        for children in (self.ingests, self.servers):
            child = children.pop(number, None)
            if child:
                _stop(child.process)


def read_summary(path: Path) -> tuple[dict[str, object] | None, str]:
    """(the JSON summary, what else was said) of an ingest's output."""
    lines = [line.strip() for line in path.read_text(errors="replace").splitlines() if line.strip()]
    try:
        summary = json.loads(lines[-1]) if lines else None
    except ValueError:
        return None, "\n".join(lines[-3:])
    return summary, "\n".join(line for line in lines[:-1] if line.startswith("cstor"))


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _token(path: Path) -> str:
    """The store's own token: other users of this machine must not read its packets."""
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(32))
    return path.read_text().strip()


def _end_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _start(command: list[str], log_path: Path) -> Child:
    with log_path.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "cstor", *command],
            cwd=settings.BASE_DIR, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            # Should the keeper be killed, its children must not stay and hold the stores' locks.
            preexec_fn=_end_with_parent,  # noqa: PLW1509 - the keeper has no threads
        )  # fmt: skip
    return Child(process, time.monotonic())


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_WITHIN_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _sweep(known: set[int]) -> None:
    """Delete the folders of captures whose rows are gone."""
    root = Path(settings.DATA_DIR) / "captures"
    for folder in root.iterdir() if root.is_dir() else ():
        if folder.name.isdigit() and int(folder.name) not in known:
            shutil.rmtree(folder, ignore_errors=True)
