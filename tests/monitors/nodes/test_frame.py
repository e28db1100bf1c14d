"""Answers with their numbers behind them: what a real node sends is what its JSON says; what lies is left out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from cstor.metrics.histogram import Cells
from cstor.store.layout import open_store
from cstor.store.sequence import Sequence
from cstor.store.writer import StoreWriter
from monitors.nodes.client import NodeClient
from monitors.nodes.frame import Stream, TooLong, Torn, opened
from monitors.pulls.normalize import normalize
from monitors.pulls.plan import Window
from tests.cstor.api.server import Server, serving
from tests.cstor.seconds import row, second

T = 1_700_000_400
PAIRS = np.array([3 << 21 | 1, 9 << 21 | 2], "<u4").tobytes()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    store: Path = tmp_path_factory.mktemp("frames") / "store"
    open_store(store)
    writer = StoreWriter(store, Sequence(store), live=False)
    for t in range(T, T + 20, 10):
        rows = [
            row(f"10.0.0.{n}", "10.0.1.1", bytes_client=n, response_time=[n * 1000, 2_000_000]) for n in range(1, 6)
        ]
        writer.add_seconds([second(t, *rows, row("2001:db8::1", "10.0.1.2", packets_client=2**40))])
    writer.close()
    with serving(store) as running:
        yield running


@pytest.mark.parametrize(
    "what",
    [
        {"by": ["client_ip", "server_ip"], "limit": 2, "totals": True},
        {"by": []},
        {"by": [], "filter": "host 192.0.2.1"},
        {"by": ["server_port"], "metrics": ["packets"]},
    ],
    ids=["groups, other, total", "one total", "nothing", "few columns"],
)
def test_a_frame_says_what_the_json_says(server: Server, what: dict[str, Any]) -> None:
    client = NodeClient(SimpleNamespace(name="n", url=f"http://{server.address}", token="", verify_tls=True))
    query = {"id": "1", "from": T, "to": T + 20, "step": 10, "encoding": "packed", **what}
    found = []
    for as_arrays in (False, True):
        (answer,) = client.series([query], as_arrays)
        assert isinstance(answer["columns"]["t"], np.ndarray if as_arrays else list)
        found.append(normalize(answer, Window(T, T + 20), 10, what["by"], 1, T + 60))
    lists, arrays = found
    assert (lists.covered, lists.observed, lists.revisions) == (arrays.covered, arrays.observed, arrays.revisions)
    assert lists.rows.t.tolist() == arrays.rows.t.tolist() and lists.rows.group.tolist() == arrays.rows.group.tolist()
    assert lists.rows.groups == arrays.rows.groups
    assert {key: column.tolist() for key, column in lists.rows.scalars.items()} == {
        key: column.tolist() for key, column in arrays.rows.scalars.items()
    }
    assert {key: [part.tolist() for part in cells] for key, cells in lists.rows.histograms.items()} == {
        key: [part.tolist() for part in cells] for key, cells in arrays.rows.histograms.items()
    }
    assert len(lists.rows) == (0 if "filter" in what else 8 if what.get("totals") else 2)


def test_wrong_questions_and_plans_are_lines_among_frames(server: Server) -> None:
    client = NodeClient(SimpleNamespace(name="n", url=f"http://{server.address}", token="", verify_tls=True))
    good = {"from": T, "to": T + 20, "step": 10, "by": []}
    wrong, plan, right = client.series([{"by": ["nonsense"]}, {**good, "plan": 1}, good], as_arrays=True)
    assert wrong["error"]["status"] == 400 and "plan" in plan
    assert right["columns"]["bytes_client"].tolist() == [15, 15]


def frame(numbers: list[list[int]], pairs: bytes = b"", **head: Any) -> bytes:
    data = np.array(numbers, "<i8").tobytes() + pairs
    told = {"rows": 2, "integers": ["t"], "histograms": [], "bytes": len(data), "columns": {}}
    return json.dumps(told | head).encode() + b"\n" + data


def read(text: bytes, cut: int = 7) -> list[dict[str, Any] | None]:
    """What is read of a stream that arrives in small pieces."""
    stream = Stream((text[at : at + cut] for at in range(0, len(text), cut)), 10_000)
    found = []
    while (line := stream.line()) is not None:
        found.append(opened(json.loads(line), stream))
    return found


@pytest.mark.parametrize("cut", [1, 7, 10_000])
def test_it_reads_one_frame_after_the_other(cut: int) -> None:
    one = frame([[1, 2], [2, 0]], PAIRS, histograms=["h"])
    first, second_one = read(one + b"\n" + frame([[3, 10]]), cut)
    assert first is not None and second_one is not None
    assert first["columns"]["t"].tolist() == [1, 2] and isinstance(first["columns"]["h"], Cells)
    assert [part.tolist() for part in first["columns"]["h"]] == [[2, 0], [3 << 21 | 1, 9 << 21 | 2]]
    assert second_one["columns"]["t"].tolist() == [3, 10], "a line end among the numbers is none"


@pytest.mark.parametrize(
    "wrong",
    [
        {"rows": 3},
        {"rows": -1},
        {"rows": 1 << 39},
        {"rows": "2"},
        {"integers": ["t", "u"]},
        {"integers": "t"},
        {"histograms": ["h", "g"]},
        {"columns": []},
    ],
)
def test_a_frame_that_lies_is_left_out_and_the_next_is_read(wrong: dict[str, Any]) -> None:
    found = read(frame([[1, 2]], **wrong) + frame([[3, 4]]))
    assert found[0] is None
    assert found[1] is not None and found[1]["columns"]["t"].tolist() == [3, 4]


@pytest.mark.parametrize("lengths", [[1, 0], [3, 0], [-1, 3], [2**62, 2**62], [2, 1]])
def test_histograms_that_are_not_as_long_as_they_say_are_left_out(lengths: list[int]) -> None:
    assert read(frame([[1, 2], lengths], PAIRS, histograms=["h"])) == [None]
    assert read(frame([[1, 2], [2, 0]], PAIRS + b"\0", histograms=["h"])) == [None]


def test_what_breaks_off_or_never_ends_is_refused() -> None:
    whole = frame([[1, 2]])
    with pytest.raises(Torn):
        read(whole[:-1])
    with pytest.raises(Torn):
        read(frame([[1, 2]], bytes=-1))
    for endless in (frame([[1, 2]], bytes=10_001), b"x" * 20_000):
        with pytest.raises(TooLong):
            read(endless)
