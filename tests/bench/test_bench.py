"""The whole benchmark in its quick form: every table with its rows. How fast anything is, no test says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bench.__main__ import BEGIN, END, PAGE, PARTS, write_page
from bench.programs import PROGRAMS
from bench.traces import MAKER
from tests.source import ROOT

TABLES = ("analysis", "rivals", "scaling", "ingest")


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> str:
    if not MAKER.exists():
        pytest.skip(f"no {MAKER.name} beside the clone, which makes the traces")
    only = [word for name in TABLES for word in ("--only", name)]
    done = subprocess.run(
        [sys.executable, "-m", "bench", "--quick", *only],
        check=False,
        cwd=ROOT,
        env={**os.environ, "CCLEAR_BENCH_DIR": str(tmp_path_factory.mktemp("traces"))},
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _rows(text: str, title: str) -> dict[str, list[str]]:
    """Cells of the rows below a heading, by their first cell; of two tables the first wins."""
    section = re.split(r"^### ", text, flags=re.MULTILINE)
    lines = next(part for part in section if part.startswith(title)).splitlines()
    found: dict[str, list[str]] = {}
    for line in lines:
        if line.startswith("| "):
            name, *cells = (cell.strip() for cell in line.strip("|").split("|"))
            found.setdefault(name, cells)
    return found


def test_it_measures_each_step_of_the_analysis(printed: str) -> None:
    rows = _rows(printed, "Decode and analysis")
    assert list(rows) == [
        "step",
        "read",
        "read + decode",
        "read + decode + analysis",
        "the same inside VXLAN",
    ]
    assert rows["read"][0] == rows["read + decode + analysis"][0] != "0"


def test_it_compares_with_every_program(printed: str) -> None:
    rows = _rows(printed, "Beside other analysers")
    assert set(rows) == {"tool", "cStor", *(program.name for program in PROGRAMS)}
    for program in PROGRAMS:
        cells = rows[program.name]
        assert cells[2] != "failed", cells
        if program.path is not None:
            assert cells[8].endswith(" x"), cells
            assert (program.target is None) == (cells[9] == "-")
        assert f"- {program.name} (" in printed  # its version and command line stand below


def test_it_says_what_only_tshark_sees_inside_vxlan(printed: str) -> None:
    _, _, inside = printed.partition("vxlan.pcap")
    for program in PROGRAMS:
        row = next(line for line in inside.splitlines() if line.startswith(f"| {program.name} "))
        assert ("sees UDP only" in row) == (not program.sees_vxlan)
    assert "cStor inside VXLAN reaches" in inside


@pytest.mark.parametrize(
    "row", ["10% of the trace", "100% of the trace", "20,000 connections open", "20,000 connections open: memory"]
)
def test_it_measures_growth(printed: str, row: str) -> None:
    assert row in _rows(printed, "Growth")


def test_it_measures_two_cores_and_the_start(printed: str) -> None:
    rows = _rows(printed, "Growth")
    if "two cores" not in rows:
        assert {"analysis, two processes", "analysis, two threads of a process"} <= set(rows)
    assert any("cstor run" in name for name in rows)
    assert any("cstor ingest" in name for name in rows)


def test_it_puts_a_copy_beside_the_ingest(printed: str) -> None:
    rows = _rows(printed, "Whole ingest")
    assert {"whole ingest to disk", "cp to disk"} <= set(rows)


def test_it_names_no_folder_of_this_machine(printed: str) -> None:
    assert str(ROOT) not in printed
    assert "cclear-bench" not in printed


def test_it_writes_the_page_between_its_marks(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"# Title\n\n{BEGIN}\n\nold\n\n{END}\n\nafter\n")
    write_page(page, "| new |\n\n")
    assert page.read_text() == f"# Title\n\n{BEGIN}\n\n| new |\n\n{END}\n\nafter\n"


def test_it_has_a_page_with_these_marks() -> None:
    text = PAGE.read_text()
    assert text.count(BEGIN) == text.count(END) == 1
    for part in PARTS:
        assert part.title in text, f"{PAGE.name} does not explain {part.title!r}"
