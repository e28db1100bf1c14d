"""POST and GET series of links and of the node's own counters; answers as the client can unpack them."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator

import numpy as np
import pytest

from cstor.buckets.points import POINT
from cstor.metrics.registry import METRICS_OF
from cstor.store.layout import open_store
from cstor.store.node_rows import node_rows
from cstor.store.sequence import Sequence
from cstor.store.writer import StoreWriter
from tests.cstor.api.server import Server, serving
from tests.cstor.seconds import row, second

T = 1_700_000_400


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    store = tmp_path_factory.mktemp("api") / "store"
    open_store(store)
    writer = StoreWriter(store, Sequence(store), live=False)
    writer.add_seconds([second(T, row("10.0.0.1", "10.0.0.2", bytes_client=1))])
    writer.tables.add("points", np.array([(T, 7, 0, 3, 300, 200, 1, 0), (T + 1, 8, 0, 1, 50, 50, 0, 0)], POINT))
    writer.tables.add("node", node_rows(T, [("eth0", "main", "packets", "", 4), ("eth0", "main", "drops", "ring", 2)]))
    writer.close()
    with serving(store) as running:
        yield running


def test_links_are_answered_by_vni(server: Server) -> None:
    query = {"subject": "points", "by": ["vni"], "metrics": ["bytes", "link_burst_bytes"], "from": T, "to": T + 2}
    (posted,) = server.lines({"queries": [query]})
    assert posted["columns"]["vni"] == [7, 8]
    assert posted["columns"]["link_burst_bytes"] == [200, 50]
    got = server.call(f"/api/v1/series?subject=points&by=vni&from={T}&to={T + 2}&step=2").json
    assert got["columns"]["packets"] == [3, 1]
    assert got["columns"]["truncated"] == [1, None]


def test_the_nodes_counters_are_answered_by_reason(server: Server) -> None:
    queries = [
        {"subject": "node", "by": ["source", "thread", "reason"], "from": T, "to": T + 1, "metrics": ["drops"]},
        {"subject": "node", "by": ["server_ip"]},
        {"subject": "nonsense"},
    ]
    good, bad, unknown = server.lines({"queries": queries})
    keys = [good["columns"][key] for key in ("source", "thread", "reason")]
    assert (keys, good["columns"]["drops"]) == ([["eth0"], ["main"], ["ring"]], [2])
    assert bad["error"]["status"] == unknown["error"]["status"] == 400
    assert "source, thread, reason" in bad["error"]["detail"]


def test_the_registry_names_the_metrics_of_every_subject(server: Server) -> None:
    subjects = server.call("/api/v1/metrics").json["subjects"]
    for subject in ("points", "node"):
        assert [metric["key"] for metric in subjects[subject]["metrics"]] == list(METRICS_OF[subject])


@pytest.mark.parametrize(("accepted", "is_packed"), [("gzip, deflate", True), ("identity", False), ("br", False)])
def test_answers_shrink_for_who_can_unpack_them(server: Server, accepted: str, is_packed: bool) -> None:
    query = {"queries": [{"metrics": ["bytes"]}, {"by": ["server_ip"]}]}
    for path, body in (("/api/v1/series", query), ("/api/v1/series?by=server_ip", None)):
        reply = server.call(path, body, **{"Accept-Encoding": accepted})
        assert reply.headers.get("Content-Encoding") == ("gzip" if is_packed else None)
        text = zlib.decompress(reply.body, 31) if is_packed else reply.body
        assert all("columns" in json.loads(line) for line in text.splitlines())
