"""Series: from files, from live logs, and both at once give the same rows; ranked, folded, totalled exactly."""

from __future__ import annotations

import random
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from cstor.store.answer import as_json
from cstor.store.layout import open_store
from cstor.store.query import QueryError
from cstor.store.sequence import Sequence
from cstor.store.series import SeriesReader
from cstor.store.writer import StoreWriter
from tests.cstor.seconds import row, second
from wire.filters.error import FilterError

T = 1_700_000_400  # ten minutes before the end of an hour
CLIENTS = ["10.0.0.1", "10.0.0.2", "10.0.1.3", "2001:db8::1"]
SERVERS = ["10.9.0.1", "10.9.0.2", "2001:db8:0:1::5"]


def random_rows(seed: int, seconds: int) -> list[tuple[int, list[dict[str, Any]]]]:
    """Rows over the boundary of an hour, with rare and dense bases, timings, copies and a folded rest."""
    chance = random.Random(seed)
    out = []
    for t in range(T, T + seconds):
        rows = []
        for _ in range(chance.randrange(6)):
            values: dict[str, Any] = {"bytes_client": chance.randrange(1, 5000), "packets_client": 1}
            if chance.random() < 0.5:
                values["response_time"] = [chance.randrange(1000, 10**9) for _ in range(chance.randrange(1, 4))]
            if chance.random() < 0.3:
                values |= {"refused": 1, "min_window_bytes_client": chance.randrange(1, 1000)}
            ends = (chance.choice(CLIENTS), chance.choice(SERVERS), chance.choice([80, 443]))
            rows.append(row(*ends, vni=chance.choice([-1, 7]), is_copy=int(chance.random() < 0.2), **values))
        if chance.random() < 0.2:
            rows.append(row("::", "::", 0, 0, is_other=1, bytes_client=9, packets_client=1))
        out.append((t, rows))
    return out


def fill(root: Path, data: list[tuple[int, list[dict[str, Any]]]], live: bool) -> StoreWriter:
    open_store(root)
    writer = StoreWriter(root, Sequence(root), live)
    writer.add_seconds([second(t, *rows) for t, rows in data if rows])
    return writer


def naive(data: list[tuple[int, list[dict[str, Any]]]], keys: tuple[str, ...], step: int) -> dict[Any, Any]:
    """bytes_client, refused, least window and response times per (bucket, group), copies left out."""
    out: dict[Any, Any] = defaultdict(lambda: [0, 0, None, []])
    for t, rows in data:
        for one in rows:
            if one.get("is_copy"):
                continue
            group = None if one.get("is_other") and keys else tuple(one[key] for key in keys)
            cell = out[(t - t % step, group)]
            cell[0] += one["bytes_client"]
            cell[1] += one.get("refused", 0)
            window = one.get("min_window_bytes_client")
            cell[2] = window if cell[2] is None else cell[2] if window is None else min(cell[2], window)
            cell[3] += one.get("response_time", [])
    return out


def as_cells(answer: dict[str, Any], keys: tuple[str, ...]) -> dict[Any, Any]:
    columns = answer["columns"]
    out = {}
    for index, t in enumerate(columns["t"]):
        group = None if columns["is_other"][index] else tuple(columns[key][index] for key in keys)
        histogram = columns["response_time"][index] or []
        samples = columns["response_time_count"][index] or 0
        assert sum(histogram[1::2]) == samples
        assert histogram[::2] == sorted(set(histogram[::2]))
        values = [columns[name][index] for name in ("bytes_client", "refused", "min_window_bytes_client")]
        out[(t, group)] = [values[0], values[1] or 0, values[2], samples, columns["response_time_sum"][index] or 0]
    return out


@pytest.mark.parametrize("live", [False, True], ids=["files", "live"])
@pytest.mark.parametrize("step", [1, 10, 60, 3600])
@pytest.mark.parametrize("keys", [(), ("server_ip",), ("client_ip", "server_port")], ids=str)
def test_it_sums_as_a_plain_loop_does(tmp_path: Path, live: bool, step: int, keys: tuple[str, ...]) -> None:
    data = random_rows(1, 700)
    writer = fill(tmp_path / "store", data, live)
    if not live:
        writer.close()
    question = {"by": list(keys), "metrics": ["bytes_client", "refused", "min_window_bytes_client", "response_time"]}
    answer = as_json(SeriesReader(tmp_path / "store").answer({**question, "step": step, "limit": 1000}))
    names = {"server_ip": "server", "client_ip": "client", "server_port": "port"}
    expected = naive(data, tuple(names[key] for key in keys), step)
    wanted = {key: [a, b, c, len(d), sum(d)] for key, (a, b, c, d) in expected.items()}
    assert as_cells(answer, keys) == wanted


def test_it_answers_the_same_from_files_memory_and_both(tmp_path: Path) -> None:
    data = random_rows(2, 900)
    question = {
        "by": ["client_net", "server_net", "vni", "protocol"],
        "step": 20,
        "limit": 3,
        "totals": True,
        "order": ["bytes", "failures", "response_time"],
        "filter": "net 10.0.0.0/16 or net 2001:db8::/32",
    }
    answers = []
    for name in ("files", "memory", "both"):
        writer = fill(tmp_path / name, data[:450] if name == "both" else data, live=name != "files")
        if name == "files":
            writer.close()
        if name == "both":
            writer.rotate()
            writer.flush()
            writer.add_seconds([second(t, *rows) for t, rows in data[450:] if rows])
        answer = as_json(SeriesReader(tmp_path / name).answer(question))
        answers.append({key: answer[key] for key in ("columns", "floor", "groups", "complete_until", "kept_from")})
    assert answers[0] == answers[1]
    assert answers[0] == answers[2]
    assert answers[0]["groups"] > 3


def test_it_keeps_the_top_of_each_ranking_and_folds_the_rest(tmp_path: Path) -> None:
    rows = [row("10.0.0.1", f"10.9.0.{n}", bytes_client=1000 * n) for n in range(1, 6)]
    rows.append(row("10.0.0.1", "10.9.0.99", refused=1))  # no bytes at all, but refused
    fill(tmp_path, [(T, rows)], live=False).close()
    question = {"by": ["server_ip"], "metrics": ["bytes", "failures"], "limit": 1, "totals": 1}
    found = as_json(
        SeriesReader(tmp_path).answer({**question, "keep": [{"server_ip": "10.9.0.2"}, {"server_ip": "10.1.1.1"}]})
    )
    columns = found["columns"]
    assert columns["server_ip"] == ["10.9.0.5", "10.9.0.2", "10.9.0.99", None, None]
    assert columns["bytes_client"] == [5000, 2000, None, 8000, 15000]
    assert columns["refused"] == [None, None, 1, None, 1]
    assert columns["is_other"] == [False, False, False, True, False]
    assert columns["is_total"] == [False, False, False, False, True]
    assert found["floor"] == {"bytes": 4000, "failures": 0, "retransmissions": 0}


def test_it_counts_a_host_at_both_ends_and_the_total_once(tmp_path: Path) -> None:
    rows = [
        row("10.0.0.1", "10.0.0.2", bytes_client=10, response_time=[1_000_000]),
        row("10.0.0.2", "10.0.0.3", bytes_client=5),
    ]
    for live in (False, True):
        writer = fill(tmp_path / str(live), [(T, rows)], live)
        if not live:
            writer.close()
        question = {"by": ["host"], "metrics": ["bytes_client", "response_time"], "totals": True}
        columns = as_json(SeriesReader(tmp_path / str(live)).answer(question))["columns"]
        assert dict(zip(columns["host"], columns["bytes_client"], strict=True)) == {
            "10.0.0.1": 10, "10.0.0.2": 15, "10.0.0.3": 5, None: 15,
        }  # fmt: skip
        assert columns["response_time_count"][-1] == 1
        assert columns["response_time"][-1][1] == 1


def test_it_leaves_copies_out_unless_they_are_asked_for(tmp_path: Path) -> None:
    ends = ("10.0.0.1", "10.0.0.2")
    rows = [row(*ends, vni=5, bytes_client=10), row(*ends, vni=6, is_copy=1, bytes_client=10)]
    fill(tmp_path, [(T, rows)], live=False).close()
    reader = SeriesReader(tmp_path)

    def bytes_of(**question: Any) -> list[int]:
        return as_json(reader.answer({"metrics": ["bytes_client"], **question}))["columns"]["bytes_client"]

    assert bytes_of() == [10]
    assert bytes_of(points="all") == [20]
    assert bytes_of(filter="vni 6") == [10]
    assert bytes_of(filter="vni 5 or vni 6") == [20]
    columns = as_json(reader.answer({"by": ["vni"], "metrics": ["bytes"]}))["columns"]
    assert sorted(zip(columns["vni"], columns["is_copy"], strict=True)) == [(5, False), (6, True)]


def test_it_says_that_the_last_bucket_is_complete_where_nothing_captures(tmp_path: Path) -> None:
    fill(tmp_path, [(T + 7, [row("10.0.0.1", "10.0.0.2", bytes_client=1)])], live=False).close()
    reader = SeriesReader(tmp_path)
    assert reader.answer({"step": 1}).head.complete_until == T + 8
    assert reader.answer({"step": 60}).head.complete_until == T + 60


def test_it_answers_a_plan_with_counts_only(tmp_path: Path) -> None:
    rows = [row("10.0.0.1", f"10.9.0.{n}", bytes_client=n) for n in range(1, 6)]
    fill(tmp_path, [(T, rows)], live=False).close()
    plan = as_json(SeriesReader(tmp_path).answer({"by": ["server_ip"], "limit": 2, "plan": True}))["plan"]
    assert (plan["groups"], plan["kept"], plan["rows_per_bucket"], plan["buckets"]) == (5, 2, 3, 1)


def test_it_answers_an_empty_store(tmp_path: Path) -> None:
    open_store(tmp_path)
    answer = as_json(SeriesReader(tmp_path).answer({"by": ["server_ip"]}))
    assert (answer["rows"], answer["kept_from"], answer["complete_until"]) == (0, None, 0)


@pytest.mark.parametrize(
    ("question", "word"),
    [
        ({"by": ["nonsense"]}, "nonsense"),
        ({"metrics": ["bites"]}, "bites"),
        ({"step": 0}, "step"),
        ({"step": 60, "from": 7}, "multiple"),
        ({"from": 10, "to": 5}, "before"),
        ({"order": ["ack_rtt_client_min"]}, "ack_rtt_client_min"),
        ({"limit": -1}, "limit"),
        ({"keep": [7]}, "keep"),
        ({"by": ["server_ip"], "keep": [{"server_ip": "x"}]}, "server_ip"),
        ({"unheard_of": 1}, "unheard_of"),
        ({"subject": "packets"}, "subject"),
        ({"subject": "points", "by": ["server_ip"]}, "known for points: vni"),
        ({"subject": "points", "metrics": ["bytes_client"]}, "bytes_client"),
        ({"subject": "points", "filter": "vni 7 and port 80"}, "links know their VNI alone"),
        ({"subject": "node", "filter": "vni 7"}, "filter"),
        ({"subject": "node", "by": ["reason"], "keep": [{"reason": "x"}]}, "keep"),
        ({"totals": "maybe"}, "totals"),
        ({"from": "soon"}, "from"),
        ([], "object"),
    ],
)
def test_it_refuses_in_words(tmp_path: Path, question: Any, word: str) -> None:
    open_store(tmp_path)
    with pytest.raises((QueryError, FilterError), match=word):
        SeriesReader(tmp_path).answer(question)
