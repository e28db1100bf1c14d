"""Links and the node's own counters asked as series are: from files, from memory and from both, the same rows."""

from __future__ import annotations

import random
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cstor.buckets.points import POINT
from cstor.ingest import Ingest
from cstor.store.answer import as_json
from cstor.store.layout import open_store
from cstor.store.node_rows import node_rows
from cstor.store.sequence import Sequence
from cstor.store.series import SeriesReader
from cstor.store.writer import StoreWriter
from tests.captures import CAPTURES, needs_captures

T = 1_700_000_400


def points(seed: int, seconds: int) -> np.ndarray:
    chance = random.Random(seed)
    rows = []
    for t in range(T, T + seconds):
        vnis = chance.sample([-1, 0, 7, 8], chance.randrange(4))
        for vni in vnis:
            size = chance.randrange(1, 9000)
            rows.append((t, vni, 0, chance.randrange(1, 9), size, size // 2, chance.randrange(2), 0))
        if len(vnis) > 1:
            rows.append((t, -1, 1, 0, 0, 20_000 + t % 7, 0, 0))
        if chance.random() < 0.2:
            rows.append((t, -1, 0, 0, 0, 0, 0, chance.randrange(1, 5)))
    return np.array(rows, POINT)


def naive(rows: np.ndarray, step: int, by_vni: bool, only: int | None = None) -> dict[Any, list[int | None]]:
    out: dict[Any, list[int]] = defaultdict(lambda: [0] * 5)
    for t, vni, is_link, *values in rows.tolist():
        if (is_link and (by_vni or only is not None)) or only not in (None, vni):
            continue
        cell = out[(t - t % step, (None if vni < 0 else vni) if by_vni else None)]
        packets, size, burst, truncated, drops = values
        cell[:] = [cell[0] + packets, cell[1] + size, max(cell[2], burst), cell[3] + truncated, cell[4] + drops]
    return {key: [value or None for value in cell] for key, cell in out.items()}


def cells(answer: dict[str, Any]) -> dict[Any, list[int | None]]:
    columns = answer["columns"]
    names = ("packets", "bytes", "link_burst_bytes", "truncated", "drops")
    vnis = columns.get("vni", [None] * len(columns["t"]))
    found = {
        (t, vni): [columns[name][at] for name in names]
        for at, (t, vni) in enumerate(zip(columns["t"], vnis, strict=True))
    }
    assert len(found) == len(columns["t"])
    return found


@pytest.mark.parametrize("where", ["files", "memory", "both"])
@pytest.mark.parametrize("step", [1, 10, 3600])
def test_it_answers_links_by_vni_or_by_nothing(tmp_path: Path, where: str, step: int) -> None:
    rows = points(3, 300)
    open_store(tmp_path)
    writer = StoreWriter(tmp_path, Sequence(tmp_path), live=where != "files")
    half = len(rows) // 2 if where == "both" else len(rows)
    writer.tables.add("points", rows[:half])
    if where == "both":
        writer.rotate()
        writer.flush()
        writer.tables.add("points", rows[half:])
    if where == "files":
        writer.close()
    reader = SeriesReader(tmp_path)
    question = {"subject": "points", "from": T - T % step, "to": T + 3600 + -T % step, "step": step}
    assert cells(as_json(reader.answer({**question, "by": ["vni"]}))) == naive(rows, step, by_vni=True)
    assert cells(as_json(reader.answer(question))) == naive(rows, step, by_vni=False)
    assert cells(as_json(reader.answer({**question, "filter": "vni 7"}))) == naive(rows, step, False, only=7)


def test_it_keeps_the_busiest_links_and_those_asked_for(tmp_path: Path) -> None:
    open_store(tmp_path)
    writer = StoreWriter(tmp_path, Sequence(tmp_path), live=True)
    writer.tables.add("points", np.array([(T, n, 0, 1, 100 * n, n, 0, 0) for n in range(1, 6)], POINT))
    reader = SeriesReader(tmp_path)
    question = {
        "subject": "points",
        "by": ["vni"],
        "limit": 1,
        "keep": [{"vni": 2}],
        "totals": 1,
        "from": T,
        "to": T + 1,
    }
    columns = as_json(reader.answer({**question, "metrics": ["bytes"]}))["columns"]
    assert columns["vni"] == [5, 2, None, None]
    assert columns["bytes"] == [500, 200, 800, 1500]
    assert columns["is_other"] == [False, False, True, False]


def test_it_answers_the_nodes_counters_by_source_thread_and_reason(tmp_path: Path) -> None:
    open_store(tmp_path)
    writer = StoreWriter(tmp_path, Sequence(tmp_path), live=True)
    for second in (T, T + 1):
        rows = [("eth0", "1", "packets", "", 10), ("eth0", "2", "packets", "", 20), ("eth0", "1", "ring_fill", "", 0)]
        rows += [("eth0", "1", "drops", "ring", 3), ("", "", "drops", "disk", 1), ("", "", "flows", "", 7)]
        writer.tables.add("node", node_rows(second, rows))
        writer.rotate()
        writer.flush()
    reader = SeriesReader(tmp_path)
    question = {"subject": "node", "from": T, "to": T + 2, "step": 2, "metrics": ["packets", "drops", "ring_fill"]}

    def rows_of(**more: Any) -> dict[tuple, list[int | None]]:
        columns = as_json(reader.answer({**question, **more}))["columns"]
        keys = [name for name in ("source", "thread", "reason") if name in columns]
        names = [name for name in ("packets", "drops", "ring_fill", "flows", "drop_percent") if name in columns]
        return {
            tuple(columns[key][at] for key in keys): [columns[name][at] for name in names]
            for at in range(len(columns["t"]))
        }

    assert rows_of() == {(): [60, 8, 0]}
    assert rows_of(by=["reason"], metrics=["drops"]) == {("ring",): [6], ("disk",): [2]}
    assert rows_of(by=["source", "thread"]) == {
        ("eth0", "2"): [40, None, None],
        ("eth0", "1"): [20, 6, 0],
        (None, None): [None, 2, None],
    }
    assert rows_of(metrics=["flows"]) == {(): [14]}  # a level is summed over its seconds
    assert rows_of(metrics=["drop_percent"]) == {(): [60, 8]}
    head = as_json(reader.answer({**question, "by": ["reason"], "plan": 1}))
    assert head["plan"]["groups"] == 3


def test_it_answers_an_empty_store(tmp_path: Path) -> None:
    open_store(tmp_path)
    for subject in ("points", "node"):
        answer = as_json(SeriesReader(tmp_path).answer({"subject": subject}))
        assert (answer["rows"], answer["columns"]["t"]) == (0, [])
        assert as_json(SeriesReader(tmp_path).answer({"subject": subject, "totals": 1}))["rows"] == 0


TUNNELLED = [
    path
    for path in sorted(CAPTURES.glob("*.pcap*") if CAPTURES else [])
    if "vxlan" in path.name or "geneve" in path.name
]


@needs_captures
@pytest.mark.parametrize("path", TUNNELLED, ids=lambda path: path.name)
def test_links_of_a_capture_add_up_to_its_conversations(tmp_path: Path, path: Path) -> None:
    with Ingest(tmp_path) as running:
        running.file(path)
    reader = SeriesReader(tmp_path)
    question = {"by": ["vni"], "limit": 1000, "step": 3600}
    links = as_json(reader.answer({**question, "subject": "points"}))["columns"]
    found = as_json(reader.answer({**question, "metrics": ["packets", "bytes"], "points": "all"}))["columns"]
    sums: dict[Any, list[int]] = defaultdict(lambda: [0, 0])
    for at, (t, vni) in enumerate(zip(found["t"], found["vni"], strict=True)):
        for number, name in enumerate(("packets", "bytes")):
            sums[(t, vni)][number] += (found[f"{name}_client"][at] or 0) + (found[f"{name}_server"][at] or 0)
    rows = zip(links["t"], links["vni"], links["packets"], links["bytes"], strict=True)
    assert {(t, vni): [packets, size] for t, vni, packets, size in rows if packets} == {
        key: value for key, value in sums.items() if value[0]
    }
    whole = as_json(reader.answer({"subject": "points", "step": 3600}))["columns"]
    assert max(whole["link_burst_bytes"]) >= max(burst or 0 for burst in links["link_burst_bytes"])
