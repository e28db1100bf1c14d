"""Programs to compare with: one that is not here is said not to be, and stops nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.headers import Connections
from bench.programs import PROGRAMS, Program
from bench.rivals import Comparison, first_packet
from wire.packets.pcap import PcapWriter, open_capture


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    path = tmp_path / "some.pcap"
    with PcapWriter(path) as writer:
        for batch in Connections(50).opened():
            writer.write(batch)
    return path


def test_it_says_what_is_not_installed(capture: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    absent = Program(
        "absent", "no-such-program", "no", "no", lambda file, port: ("no-such-program", file), ("-v",), 2.0
    )
    failing = Program("failing", "false", "no", "no", lambda file, port: ("false", file), ("-v",))
    copying = Program("copying", "cat", "no", "no", lambda file, port: ("cat", file), ("--version",), 1.0)
    monkeypatch.setattr("bench.rivals.PROGRAMS", (absent, failing, copying))
    ours, *rows = Comparison(capture, capture, 1, inside_vxlan=False).rows()
    assert ours[:4] == ("cStor", "yes", "yes", "150")
    assert [row[3] for row in rows] == ["not installed", "failed", "150"]
    assert {len(row) for row in rows} == {len(ours)}


def test_it_cuts_a_capture_of_one_packet(capture: Path, tmp_path: Path) -> None:
    first_packet(capture, tmp_path / "one.pcap")
    with open_capture(tmp_path / "one.pcap") as reader:
        assert [batch.packets for batch in reader] == [1]


def test_it_knows_the_targets() -> None:
    targets = {program.name: program.target for program in PROGRAMS if program.target and not program.is_aim}
    assert targets == {"tcptrace": 10, "tshark": 60, "argus": 3, "softflowd": 1.5, "softflowd, all flows": 1.5}
