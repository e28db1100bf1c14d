"""Uploads: straight to disk, bounded, and refused in words."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from monitors.captures.keeper import read_summary
from monitors.models import Capture, CaptureState

pytestmark = pytest.mark.django_db


@pytest.fixture
def operator() -> Client:
    user = get_user_model().objects.create_user("olivia", password="a long password")
    user.groups.add(Group.objects.get(name="operator"))
    client = Client()
    client.force_login(user)
    return client


def drop(client: Client, *files: tuple[str, bytes]) -> object:
    return client.post("/captures/new/", {"files": [SimpleUploadedFile(name, data) for name, data in files]})


def test_it_keeps_the_files_in_order_and_says_where_to_look(operator: Client) -> None:
    answer = drop(operator, ("b.pcap", b"first"), ("../a b.pcapng", b"second"))
    assert answer.status_code == 201
    capture = Capture.objects.get()
    assert answer.json() == {"url": f"/captures/{capture.pk}/"}
    assert (capture.state, capture.name, capture.size_bytes) == (CaptureState.UPLOADED, "b.pcap and 1 more", 11)
    assert [path.name for path in capture.files] == ["000-b.pcap", "001-a_b.pcapng"]
    assert [path.read_bytes() for path in capture.files] == [b"first", b"second"]
    assert operator.get(answer.json()["url"]).status_code == 200


def test_it_refuses_more_than_one_upload_may_have(operator: Client, settings) -> None:
    settings.CAPTURE_MAX_BYTES = 1000
    answer = drop(operator, ("big.pcap", b"x" * 5000))
    assert answer.status_code == 400
    assert "split the capture" in answer.json()["error"]
    assert not Capture.objects.exists()
    assert not list(Path(settings.FILE_UPLOAD_TEMP_DIR).iterdir())


def test_it_asks_for_a_file(operator: Client) -> None:
    answer = operator.post("/captures/new/", {})
    assert answer.status_code == 400
    assert "choose at least one capture" in answer.json()["error"]


def test_it_is_for_operators() -> None:
    user = get_user_model().objects.create_user("victor", password="a long password")
    user.groups.add(Group.objects.get(name="viewer"))
    client = Client()
    client.force_login(user)
    assert drop(client, ("a.pcap", b"x")).status_code == 403


def test_it_reads_the_last_line_of_an_ingest(tmp_path: Path) -> None:
    log = tmp_path / "ingest.log"
    log.write_text('cstor: a.pcap: offset 24: the file ends in the middle of a packet\n{"packets": 3}\n')
    assert read_summary(log) == ({"packets": 3}, "cstor: a.pcap: offset 24: the file ends in the middle of a packet")
    log.write_text("Traceback\nKilled\n")
    assert read_summary(log) == (None, "Traceback\nKilled")
