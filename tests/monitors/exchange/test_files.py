"""Monitors as YAML and CSV: what is written is read back as it was, whatever the texts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitors.exchange import csv_file, yaml_file
from monitors.exchange.document import DEFAULTS, Document
from monitors.exchange.entry import FileError

FULL: Document = {
    **DEFAULTS,
    "name": "=1+1 of a name",
    "slug": "web",
    "description": "two\nlines; with 'quotes' and, commas",
    "tags": ["no", "web; front", "+x"],
    "filter": "net 10.0.0.0/8 and tcp port 443",
    "nodes": ["a;b", "c,d"],
    "thresholds": {"network_latency": [0.1, 0.2]},
    "steps": [60, 3600],
    "enabled": False,
}
FILES = {"yaml": yaml_file, "csv": csv_file}


@pytest.mark.parametrize("form", FILES)
def test_it_reads_what_it_wrote(form: str) -> None:
    text = FILES[form].write([FULL, {**DEFAULTS, "name": "plain"}])  # type: ignore[attr-defined]
    first, second = FILES[form].read(text)  # type: ignore[attr-defined]
    assert first.typed() == (FULL, [])
    assert second.typed() == ({**DEFAULTS, "name": "plain"}, [])


TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), max_size=30)


@given(name=TEXTS, filter_text=TEXTS)
@pytest.mark.parametrize("form", FILES)
def test_it_keeps_any_text(form: str, name: str, filter_text: str) -> None:
    text = FILES[form].write([{**DEFAULTS, "name": name, "filter": filter_text}])  # type: ignore[attr-defined]
    (entry,) = FILES[form].read(text)  # type: ignore[attr-defined]
    found, problems = entry.typed()
    assert (found["name"], found["filter"], problems) == (name, filter_text, [])


@given(cell=TEXTS)
def test_it_makes_formulas_harmless(cell: str) -> None:
    written = csv_file.harmless(cell)
    assert not written.startswith(("=", "+", "-", "@", "\t", "\r"))
    assert csv_file.original(written) == cell


def test_it_tells_lines() -> None:
    text = "# head\nmonitors:\n- name: a\n- name: b\n  colour: red\n  top_n: many\n- 7\n"
    a, b, c = yaml_file.read(text)
    assert (a.line, b.line, c.line) == (3, 4, 7)
    _, problems = b.typed()
    assert problems[0].startswith("line 5: 'colour' is no field")
    assert problems[1] == "line 6: top_n: is a whole number, not 'many'"
    assert "no monitor" in c.problems[0]


def test_it_tells_lines_of_csv() -> None:
    entries = csv_file.read('name,description,enabled\na,"two\nlines",yes\n\nb,,maybe\nc,1,2,3\n')
    assert [entry.line for entry in entries] == [2, 5, 6]
    assert entries[0].typed() == ({"name": "a", "description": "two\nlines", "enabled": True}, [])
    assert "yes or no" in entries[1].typed()[1][0]
    assert "4 cells" in entries[2].problems[0]


def test_it_reads_what_spreadsheets_write() -> None:
    (entry,) = csv_file.read('\ufeffName;Filter;Tags;Thresholds\r\nweb;port 80;a, b;"network_latency 0.1 0.2"\r\n')
    assert entry.typed()[0] == {
        "name": "web",
        "filter": "port 80",
        "tags": ["a", "b"],
        "thresholds": {"network_latency": [0.1, 0.2]},
    }


def test_words_that_yaml_takes_for_something_else_stay_text() -> None:
    (entry,) = yaml_file.read("monitors:\n- name: no\n  filter: 10\n  description: 2024-01-01\n")
    assert entry.typed() == ({"name": "no", "filter": "10", "description": "2024-01-01"}, [])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty"),
        ("monitors: 5", "not a list"),
        ("nodes: []", "no list called 'monitors'"),
        ("monitors:\n- name: [", "not YAML"),
        ("monitors:\n- &a {name: x}\n- *a", "aliases"),
        ("monitors: " + "[" * 100_000, "too deeply"),
        ("monitors:\n- tags: !!python/object:os.system {}", "not YAML"),
    ],
)
def test_it_refuses_what_is_no_list_of_monitors(text: str, words: str) -> None:
    with pytest.raises(FileError, match=words):
        yaml_file.read(text)


def test_it_asks_for_a_header() -> None:
    with pytest.raises(FileError, match="the first line names the columns"):
        csv_file.read("web,port 80\n")
    with pytest.raises(FileError, match="empty"):
        csv_file.read("")
