"""A dropped capture, with the real `cstor`: read, served, asked for its packets, removed."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from monitors.captures.keeper import Keeper
from monitors.models import Capture, CaptureState, Monitor, Node
from monitors.nodes.client import NodeClient, NodeError

pytestmark = pytest.mark.django_db
WITHIN_S = 120


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("lab") / "clean.pcap"
    command = [sys.executable, "-m", "lab", "pcap", "--scenario", "clean", "--seconds", "3", "-w", str(path)]
    subprocess.run(command, check=True, capture_output=True, cwd=settings.BASE_DIR)
    return path


@pytest.fixture
def client() -> Client:
    client = Client()
    client.force_login(get_user_model().objects.create_superuser("root", password="a long password"))
    return client


@pytest.fixture
def keeper() -> Iterator[Keeper]:
    keeper = Keeper(lambda: True)
    yield keeper
    keeper.run()  # told to stop at once: it stops its children


def drop(client: Client, name: str, data: bytes) -> Capture:
    answer = client.post("/captures/new/", {"files": [SimpleUploadedFile(name, data)]})
    assert answer.status_code == 201, answer.content
    return Capture.objects.get(pk=int(answer.json()["url"].split("/")[2]))


def kept_until(keeper: Keeper, capture: Capture, state: str) -> Capture:
    deadline = time.monotonic() + WITHIN_S
    while time.monotonic() < deadline:
        keeper.step()
        capture.refresh_from_db()
        if capture.state == state and (state == CaptureState.FAILED or (capture.node and _answers(capture.node))):
            return capture
        time.sleep(0.2)
    raise AssertionError(f"{capture.state} after {WITHIN_S} s: {capture.error}")


def _answers(node: Node) -> bool:
    try:
        return bool(NodeClient(node).status())
    except NodeError:
        return False


def test_it_reads_serves_and_removes_a_capture(client: Client, keeper: Keeper, trace: Path) -> None:
    capture = kept_until(keeper, drop(client, "clean.pcap", trace.read_bytes()), CaptureState.READY)
    assert capture.summary["packets"] > 100
    assert capture.monitor.nodes.get() == capture.node
    assert not (capture.folder / "files").exists()

    packets = capture.summary["packets"]
    span = NodeClient(capture.node).status()
    whole = {"from": span["oldest_bucket"] - 1, "to": span["newest_bucket"] + 2, "node": capture.node.name}
    assert f"{packets} packets" in client.get("/packets/count/", whole).content.decode()
    answer = client.get("/api/v1/packets", whole)
    assert answer.headers["X-Planned-Packets"] == str(packets)
    body = b"".join(answer.streaming_content)
    assert len(body) == trace.stat().st_size

    nothing = client.get("/api/v1/packets", whole | {"filter": "tcp port 1"})
    assert (nothing.status_code, nothing.json()["detail"]) == (404, "no node has a packet that matches in this range")

    folder = capture.folder
    assert client.post(f"/captures/{capture.pk}/delete/").status_code == 302
    keeper.step()
    assert not folder.exists()
    assert not Monitor.objects.exists()
    assert not Node.objects.exists()


def test_it_says_what_is_wrong_with_a_file_that_is_no_capture(client: Client, keeper: Keeper) -> None:
    capture = kept_until(
        keeper, drop(client, "notes.txt", b"not a capture at all, but long enough to look at"), CaptureState.FAILED
    )
    assert "000-notes.txt: offset 0" in capture.error
    assert str(settings.DATA_DIR) not in capture.error


def test_it_keeps_what_stands_before_a_cut(client: Client, keeper: Keeper, trace: Path) -> None:
    capture = kept_until(keeper, drop(client, "cut.pcap", trace.read_bytes()[:-10]), CaptureState.READY)
    assert "the file ends in the middle of a packet" in capture.error
    assert capture.summary["packets"] > 100
