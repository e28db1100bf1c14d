"""The installed tshark on traffic that is in no capture: at random, from the lab, and streams that no oracle lists."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.capture import write_capture
from lab.scenario import discover
from tests.captures import CAPTURES, needs_captures
from tests.conformance.__main__ import compare
from tests.conformance.theirs import tshark_oracle, tshark_version
from tests.conformance.traffic import connections
from wire.packets.batch import MAX_PACKETS, batch_of
from wire.packets.layout import LINK_ETHERNET
from wire.packets.pcap import PcapWriter

needs_tshark = pytest.mark.skipif(
    not tshark_version().startswith("4.0."), reason=f"our rules are those of tshark 4.0, here is {tshark_version()!r}"
)
SHORT = (
    [
        path.name.removesuffix(".tshark.json")
        for path in sorted(CAPTURES.glob("oracle/*.tshark.json"))
        if not tshark_oracle(CAPTURES, path.name.removesuffix(".tshark.json")).is_complete
    ]
    if CAPTURES
    else []
)


def write(path: Path, frames: list[tuple[int, bytes]], kept: int = 65_535) -> Path:
    """The frames as a capture, of each at most so many bytes."""
    with PcapWriter(path, LINK_ETHERNET, nanoseconds=True) as writer:
        for start in range(0, len(frames), MAX_PACKETS):
            part = frames[start : start + MAX_PACKETS]
            times, wires = [time_ns for time_ns, _ in part], [len(frame) for _, frame in part]
            writer.write(batch_of([frame[:kept] for _, frame in part], times, wires))
    return path


@needs_tshark
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_it_judges_whatever_happens_as_tshark_does(tmp_path: Path, seed: int) -> None:
    streams, found = compare(write(tmp_path / "random.pcap", connections(250, 40, seed)))
    assert streams > 300
    assert found == []


@needs_tshark
def test_a_short_snap_length_changes_nothing(tmp_path: Path) -> None:
    """Headers with their options are 94 bytes at most: all payload is cut away, also that of a SYN."""
    streams, found = compare(write(tmp_path / "cut.pcap", connections(250, 40, 4), 94))
    assert streams > 300
    assert found == []


@needs_tshark
@needs_captures
@pytest.mark.parametrize("name", SHORT)
def test_streams_that_the_oracles_leave_out_are_equal_too(name: str) -> None:
    assert CAPTURES
    streams, found = compare(CAPTURES / name)
    assert streams > 200
    assert found == []


@needs_tshark
@pytest.mark.parametrize("scenario", ["default", "lossy"])
def test_each_mirror_point_of_the_lab_is_judged_as_by_tshark(tmp_path: Path, scenario: str) -> None:
    write_capture(discover()[scenario], tmp_path / "lab.pcap", seconds=20, seed=5)
    streams, found = compare(tmp_path / "lab.pcap")
    assert streams > 200
    assert found == []
