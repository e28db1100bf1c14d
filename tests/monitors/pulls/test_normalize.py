"""One answer -> rows: what is checked, and the words for what is wrong."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import pytest

from cstor.metrics.histogram import Cells, from_bytes, pack, to_bytes
from monitors.pulls.answer import ABSENT, BadAnswer, Rows
from monitors.pulls.normalize import normalize
from monitors.pulls.plan import Window
from monitors.series.groups import group_id
from monitors.series.tiers import OTHER_GROUP, TOTAL_GROUP

T = 1_760_004_000
WINDOW = Window(T, T + 20)
BY = ["client_ip", "server_port"]


def answer(columns: dict[str, Any] | None = None, **head: Any) -> dict[str, Any]:
    base = {
        "t": [T, T, T, T + 10],
        "client_ip": ["10.0.0.1", None, None, "10.0.0.1"],
        "server_port": [443, None, None, None],
        "is_other": [False, True, False, False],
        "is_total": [False, False, True, False],
        "bytes_client": [5, 6, 11, None],
    }
    top = {
        "id": 1,
        "step": 10,
        "complete_until": T + 25.7,
        "kept_from": None,
        "observed": [[T, T + 25]],
        "revisions": {},
    }
    return {**top, **head, "columns": {**base, **(columns or {})}}


def read(found: dict[str, Any], by: list[str] = BY, window: Window = WINDOW) -> Any:
    return normalize(found, window, 10, by, 3, T + 30.0)


def test_it_reads_rows_of_groups_other_and_total() -> None:
    found = read(answer())
    web = group_id(3, (("client_ip", "10.0.0.1"), ("server_port", 443)))
    portless = group_id(3, (("client_ip", "10.0.0.1"), ("server_port", None)))
    assert found.rows.group.tolist() == [web, OTHER_GROUP, TOTAL_GROUP, portless]
    assert [(key, column.tolist()) for key, column in found.rows.scalars.items()] == [
        ("bytes_client", [5, 6, 11, ABSENT])
    ]
    assert dict(found.rows.groups[web]) == {"client_ip": "10.0.0.1", "server_port": 443}
    assert (found.covered, found.observed, found.lost) == (((T, T + 20),), ((T, T + 20),), ())


def test_it_takes_an_absent_column_for_nulls() -> None:
    found = read(answer({"bytes_client": None, "response_time": None}))
    assert (found.rows.scalars, found.rows.histograms) == ({}, {})


def test_it_takes_a_node_that_does_not_say_so_to_have_been_watching() -> None:
    line = answer()
    del line["observed"]
    assert read(line).observed == ((T, T + 20),)
    assert read(answer(observed=[])).observed == ()


def test_it_reads_packed_histograms() -> None:
    cells = [pack([3], [1]), b"", pack([3, 9], [1, 2]), b""]
    packed = {"lengths": [1, 0, 2, 0], "pairs": base64.b64encode(b"".join(cells)).decode()}
    found = read(answer({"response_time": packed}, complete_until=T + 10))
    assert to_bytes(found.rows.histograms["response_time"]) == cells[:3]
    assert found.rows.t.tolist() == [T, T, T]
    assert found.covered == ((T, T + 10),)


def test_it_groups_a_copy_apart() -> None:
    columns = {"vni": [7, 7, None, 7], "is_copy": [False, True, None, False], "is_other": [None] * 4}
    found = read(answer(columns | {"is_total": [None, None, True, None]}), by=["vni"])
    assert len(set(found.rows.group.tolist())) == 3


def test_it_reads_networks_in_one_spelling() -> None:
    columns = {"client_net": ["10.0.0.0/24", None, None, "2001:DB8::/64"]}
    groups = read(answer(columns), by=["client_net"]).rows.groups.values()
    assert sorted(dict(values)["client_net"] for values in groups) == ["10.0.0.0/24", "2001:db8::/64"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"error": {"title": "Bad filter", "detail": "unknown word"}}, "the node refused: unknown word"),
        ({"step": 60}, "answered in steps of 60 s, asked were 10 s"),
        ({"step": None}, "step is None, not a number"),
        ({"complete_until": "now"}, "complete_until is 'now', not a number"),
        ({"complete_until": True}, "complete_until is True"),
        ({"observed": [[1]]}, "observed is not a list"),
        ({"revisions": [1]}, "revisions is not a map"),
    ],
)
def test_it_says_what_is_wrong_with_the_head(change: dict[str, Any], words: str) -> None:
    with pytest.raises(BadAnswer, match=words):
        read(answer(**change))


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"t": None}, "column t is missing"),
        ({"t": [T, T, T, "x"]}, "column t is missing or not of whole seconds"),
        ({"t": [T, T, T, T + 5]}, "no multiple of the step"),
        ({"t": [T, T, T, T - 10]}, "outside the window"),
        ({"t": [T, T, T, T + 20]}, "outside the window"),
        ({"client_ip": None}, "column client_ip is missing"),
        ({"client_ip": ["10.0.0.1"]}, "column client_ip has not as many values"),
        ({"client_ip": ["10.0.0.256", None, None, "x"]}, "client_ip '10.0.0.256' is no address"),
        ({"client_ip": [["list"], None, None, "x"]}, "cannot be"),
        ({"server_port": [70_000, None, None, 1]}, "server_port 70000 cannot be"),
        ({"server_port": ["443", None, None, 1]}, "server_port '443' cannot be"),
        ({"bytes_client": [1, 2, 3]}, "column bytes_client has not as many values"),
        ({"bytes_client": [1, 2, 3, 0.5]}, "column bytes_client has values that are no integers"),
        ({"bytes_client": [1, 2, 3, -4]}, "column bytes_client has a value below 0"),
        ({"bytes_client": [1, 2, 3, 2**63]}, "beyond 64 bits"),
        ({"bytes_client": [1, 2, 3, "4"]}, "column bytes_client has values that are no integers"),
        ({"response_time": {"lengths": [1, 0, 0, None], "pairs": "AAAAAA=="}}, "not as many lengths"),
        ({"response_time": [[1, 2], None, None, None]}, "response_time is not packed"),
        ({"response_time": {"lengths": [1, 0, 0, 0], "pairs": "AAAA"}}, "not as many pairs"),
        ({"response_time": {"lengths": [1], "pairs": "AAAAAA=="}}, "not as many lengths"),
        ({"response_time": {"lengths": [1, 0, 0, 0], "pairs": "not base64"}}, "response_time is not packed"),
        ({"t": [T, T, T, T], "server_port": [443, None, None, 443]}, "the same group and time came twice"),
    ],
)
def test_it_says_what_is_wrong_with_a_column(columns: dict[str, Any], words: str) -> None:
    with pytest.raises(BadAnswer, match=words):
        read(answer(columns))


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"bytes_client": np.array([1, 2, 3])}, "bytes_client has not as many"),
        ({"bytes_client": np.array([1, 2, 3, -4])}, "bytes_client has a value below 0"),
        ({"bytes_client": Cells(np.zeros(4, np.int64), np.zeros(0, "<u4"))}, "bytes_client has not as many"),
        ({"server_port": np.array([1, 2, 3, 4])}, "server_port has not as many"),
        ({"t": Cells(np.zeros(4, np.int64), np.zeros(0, "<u4"))}, "column t"),
        ({"t": np.zeros(2_000_001, np.int64)}, "more than 2,000,000 rows"),
        ({"response_time": {"lengths": [2**62] * 4, "pairs": ""}}, "not as many pairs"),
        ({"response_time": np.array([1, 2, 3, 4])}, "response_time is not packed"),
        ({"response_time": Cells(np.zeros(3, np.int64), np.zeros(0, "<u4"))}, "response_time has not as many"),
    ],
)
def test_it_says_what_is_wrong_with_a_column_of_a_frame(columns: dict[str, Any], words: str) -> None:
    with pytest.raises(BadAnswer, match=words):
        read(answer(columns))


@pytest.mark.parametrize("columns", [[], 5, None])
def test_it_refuses_an_answer_without_columns(columns: Any) -> None:
    with pytest.raises(BadAnswer, match="columns are missing"):
        read(answer() | {"columns": columns})


def test_it_ignores_what_a_newer_node_knows_besides() -> None:
    assert read(answer({"quic_handshakes": [1, 2, 3, 4]}, mood="good")).rows.scalars.keys() == {"bytes_client"}


def test_it_joins_rows_with_different_columns() -> None:
    cell = pack([3], [1])
    one = Rows(ints(T), ints(1), {"bytes_client": ints(5)}, {"response_time": from_bytes([cell])}, {})
    two = Rows(ints(T, T + 10), ints(0, 0), {"packets_client": ints(1, 2)}, {}, {})
    both = one.plus(two)
    assert both.t.tolist() == [T, T, T + 10]
    assert both.scalars["bytes_client"].tolist() == [5, ABSENT, ABSENT]
    assert both.scalars["packets_client"].tolist() == [ABSENT, 1, 2]
    assert to_bytes(both.histograms["response_time"]) == [cell, b"", b""]
    assert both.within(((T + 10, T + 20),)).t.tolist() == [T + 10]
    assert to_bytes(both.within(((T, T + 10),)).histograms["response_time"]) == [cell, b""]


def ints(*values: int) -> Any:
    return np.array(values, dtype=np.int64)
