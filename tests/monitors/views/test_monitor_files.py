"""Export and import on the pages."""

from __future__ import annotations

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from monitors.models import Monitor
from tests.monitors.cast import visitor

pytestmark = pytest.mark.django_db


@pytest.fixture
def olivia(db: None) -> Client:
    return visitor("operator")


def upload(client: Client, text: str | bytes, name: str = "monitors.yaml") -> str:
    data = text.encode() if isinstance(text, str) else text
    answer = client.post("/monitors/import/", {"file": SimpleUploadedFile(name, data)})
    return answer.content.decode()


def test_it_exports_what_the_list_shows(monitor: Monitor) -> None:
    Monitor.objects.create(name="tagged", tags=["x"])
    victor = visitor("viewer")
    answer = victor.get("/monitors/export/?format=csv&tag=x")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="tagged.csv"'
    assert answer.content.decode().count("\n") == 2
    assert "name: web" in victor.get(f"/monitors/export/?format=yaml&id={monitor.pk}").content.decode()
    assert victor.get("/monitors/export/").content.decode().count("- name:") == 2
    assert victor.get("/monitors/export/?format=exe").status_code == 404


def test_it_looks_a_file_over_before_it_takes_it_in(olivia: Client, monitor: Monitor) -> None:
    text = "monitors:\n- name: web\n  top_n: 9\n- name: New <b>\n"
    page = upload(olivia, text)
    assert "1 new, 1 changed, 0 same, 0 wrong" in page
    assert "Top N groups: 5 → 9" in page
    assert "New &lt;b&gt;" in page
    assert Monitor.objects.count() == 1
    answer = olivia.post("/monitors/import/", {"text": text, "format": "yaml", "apply": "yes"}, follow=True)
    assert "Imported: 1 new, 1 changed" in answer.content.decode()
    assert Monitor.objects.get(name="web").top_n == 9
    assert "Nothing to do" in upload(olivia, text)


def test_it_says_what_is_wrong(olivia: Client, monitor: Monitor) -> None:
    page = upload(olivia, "name,filter\nx,tcp prot\n", "m.csv")
    assert "is &#x27;proto&#x27; meant?" in page
    assert "taken in as a whole or not at all" in page
    assert 'name="apply"' not in page
    assert "line 3: this is not YAML" in upload(olivia, "monitors:\n- name: [\n- x")
    assert "not UTF-8" in upload(olivia, b"\xff\xfe\x00")
    assert "Choose a file" in olivia.post("/monitors/import/", {}).content.decode()
    answer = olivia.post("/monitors/import/", {"text": "name\nx\nx\n", "format": "csv", "apply": "yes"})
    assert answer.status_code == 400
    assert Monitor.objects.count() == 1
    assert visitor("viewer").get("/monitors/import/").status_code == 403
