"""The commands as a stranger meets them: processes, their output, their exit status, one-line errors."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.captures import CAPTURES, needs_captures

ROOT = Path(__file__).resolve().parents[2]


def cstor(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "cstor", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    assert CAPTURES is not None
    folder = tmp_path_factory.mktemp("commands") / "store"
    done = cstor("ingest", "--store", folder, CAPTURES / "http-66-flows.pcap", CAPTURES / "vxlan-http.pcap")
    assert done.returncode == 0, done.stderr
    assert list(json.loads(done.stdout.splitlines()[-1])) == [
        "files", "packets", "ip_packets", "ip_bytes", "malformed", "flows", "sessions", "seconds",
    ]  # fmt: skip
    return folder


@pytest.mark.parametrize("command", ["", "run", "ingest", "serve", "search", "sessions", "series"])
def test_every_command_has_help(command: str) -> None:
    done = cstor(*([command] if command else []), "--help")
    assert done.returncode == 0
    assert "usage: python -m cstor" in done.stdout


@needs_captures
def test_sessions_are_one_json_object_per_line(store: Path) -> None:
    done = cstor("sessions", "--store", store, "tcp and port 80")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(rows) > 50
    for row in rows:
        assert (row["protocol"], row["server_port"]) == (6, 80)
        assert row["start"] <= row["end"]
        assert row["handshake_rtt_client"] is None or 0 <= row["handshake_rtt_client"] < 1
        assert row["response_time"] is None or list(row["response_time"]) == [
            "count", "min", "mean", "p50", "p95", "p99", "max",
        ]  # fmt: skip
    tunnelled = [row for row in rows if row["vni"] is not None]
    assert [row["client_ip"] for row in tunnelled] == ["172.16.11.201"]


@needs_captures
def test_sessions_as_csv_have_the_same_numbers(store: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(cstor("sessions", "--store", store, "--format", "csv").stdout)))
    lines = [json.loads(line) for line in cstor("sessions", "--store", store).stdout.splitlines()]
    assert [int(row["packets_client"]) for row in rows] == [line["packets_client"] for line in lines]
    assert {row["outcome"] for row in rows} == {line["outcome"] for line in lines}


@needs_captures
def test_series_are_finished_metrics_or_bases(store: Path) -> None:
    options = ("--store", store, "--filter", "tcp port 80", "--step", "3600", "--by", "server_port")
    done = cstor("series", *options, "--metrics", "throughput,bytes,network_latency,failure_percent")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert {row["server_port"] for row in rows} == {80}
    for row in rows:
        assert row["throughput"] == pytest.approx(row["bytes"] * 8 / 3600)
        assert row["network_latency"]["p50"] <= row["network_latency"]["p95"]
        assert row["failure_percent"] == 0
    done = cstor("series", *options, "--metrics", "bytes", "--bases", "--format", "csv")
    (head, *_) = done.stdout.splitlines()
    assert head == "t,server_port,is_other,bytes_client,bytes_server"


@needs_captures
def test_a_damaged_file_costs_one_line_and_the_others_go_in(tmp_path: Path) -> None:
    assert CAPTURES is not None
    text, good = tmp_path / "notes.txt", CAPTURES / "vxlan-http.pcap"
    text.write_text("no capture at all")
    (tmp_path / "empty.pcap").touch()
    cut = CAPTURES / "cut-short.pcap"
    files = (text, tmp_path / "empty.pcap", tmp_path / "missing.pcap", cut, good)
    done = cstor("ingest", "--store", tmp_path / "store", *files)
    assert done.returncode == 1
    lines = done.stderr.splitlines()
    assert len(lines) == 4
    for path, line in zip(files, lines, strict=False):
        assert line.startswith(f"cstor: {path}: offset ")
    summary = json.loads(done.stdout.splitlines()[-1])
    assert (summary["files"], summary["packets"]) == (2, 25 + 12)


@pytest.mark.parametrize(
    ("arguments", "status", "word"),
    [
        (("sessions", "--store", "STORE", "tcp porty"), 2, "porty"),
        (("series", "--store", "STORE", "--by", "nonsense"), 2, "nonsense"),
        (("series", "--store", "STORE", "--metrics", "nonsense"), 2, "nonsense"),
        (("series", "--store", "STORE", "--from", "tomorrow"), 2, "tomorrow"),
        (("series", "--store", "STORE", "--step", "60", "--from", "7"), 2, "multiple"),
        (("sessions", "--store", "/nonexistent"), 1, "not a cStor store"),
        (("serve", "--store", "/nonexistent"), 1, "not a cStor store"),
        (("serve", "--store", "STORE", "--listen", "0.0.0.0:0"), 1, "token"),
        (("serve", "--store", "STORE", "--listen", "nowhere"), 1, "HOST:PORT"),
        (("run", "--config", "/nonexistent.toml"), 1, "nonexistent.toml"),
        (("ingest", "--store", "/proc/nothing", "x.pcap"), 1, "/proc/nothing"),
        (("ingest",), 2, "--store"),
        (("dance",), 2, "dance"),
    ],
    ids=lambda value: " ".join(value)[:50] if isinstance(value, tuple) else None,
)
@needs_captures
def test_errors_say_what_is_wrong(store: Path, arguments: tuple[str, ...], status: int, word: str) -> None:
    done = cstor(*(str(store) if word == "STORE" else word for word in arguments))
    assert done.returncode == status
    assert word in done.stderr
    assert "Traceback" not in done.stderr
    assert not done.stdout


@needs_captures
def test_a_reader_that_leaves_early_is_no_error(store: Path) -> None:
    command = f"{sys.executable} -m cstor sessions --store {store} | head -1"
    done = subprocess.run(["bash", "-c", command], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert len(done.stdout.splitlines()) == 1
    assert not done.stderr
