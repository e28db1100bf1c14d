"""Every call of the API over an ingested store, through gunicorn; whatever is asked, the answer is never a 500."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cstor.metrics.registry import BASES, METRICS
from cstor.store.layout import SECOND_NS, open_store
from cstor.store.sequence import Sequence
from cstor.store.writer import StoreWriter
from tests.cstor.api.server import Server, serving
from tests.cstor.seconds import row, second, sessions

T = 1_700_000_400


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    store = tmp_path_factory.mktemp("api") / "store"
    open_store(store)
    writer = StoreWriter(store, Sequence(store), live=False)
    ends = ("10.0.0.1", "10.0.0.2")
    writer.add_seconds(
        [second(T + n, row(*ends, bytes_client=10, bytes_server=20, response_time=[2_000_000])) for n in range(60)]
    )
    times = [(T + n) * SECOND_NS + 1 for n in range(30)]
    writer.add_sessions(
        sessions(
            *(
                row(
                    *ends,
                    client_port=40_000 + n,
                    start_ns=start,
                    end_ns=start + 5,
                    packets_client=n,
                    handshake_rtt=n + 1,
                )
                for n, start in enumerate(times)
            )
        )
    )
    writer.close()
    with serving(store, "--name", "node-under-test") as running:
        yield running


def test_healthz_needs_no_token_and_says_ok(server: Server) -> None:
    reply = server.call("/healthz")
    assert (reply.status, reply.json) == (200, {"status": "ok"})


def test_status_tells_what_the_node_has(server: Server) -> None:
    status = server.call("/api/v1/status").json
    assert status["name"] == "node-under-test"
    assert (status["mode"], status["problem"]) == ("serve", None)
    assert (status["oldest_bucket"], status["newest_bucket"]) == (T, T + 59)
    assert status["complete_until"] == T + 60
    assert status["disk"]["used"]["series"]["bytes"] > 0
    assert status["capture"] is None and status["alarms"] == [] and status["behind"] is False
    assert status["clock"].keys() == {"synchronised", "max_error_s"}


def test_metrics_is_the_registry(server: Server) -> None:
    found = server.call("/api/v1/metrics").json
    assert [metric["key"] for metric in found["metrics"]] == list(METRICS)
    assert [base["key"] for base in found["bases"]] == list(BASES)
    assert all(metric["help"] and metric["label"] for metric in found["metrics"])


def test_prometheus_text_has_help_and_type_for_every_sample(server: Server) -> None:
    reply = server.call("/metrics")
    assert reply.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    lines = reply.body.decode().splitlines()
    typed = {line.split()[2] for line in lines if line.startswith("# TYPE")}
    samples = {line.split("{")[0].split()[0] for line in lines if not line.startswith("#")}
    assert samples == typed
    assert "cstor_up 1" in lines


def test_series_answers_each_query_on_a_line_of_its_own(server: Server) -> None:
    good = {"id": "a", "by": ["server_ip"], "metrics": ["bytes"], "from": T, "to": T + 60, "step": 60}
    bad = {"id": "b", "filter": "host 10.0.0.1 and prot tcp"}
    first, second_line, third, fourth = server.lines({"queries": [good, bad, 7, {**good, "id": {"any": "thing"}}]})
    assert first["columns"]["bytes_client"] == [600]
    assert first["columns"]["server_ip"] == ["10.0.0.2"]
    assert (second_line["id"], second_line["error"]["status"]) == ("b", 400)
    assert "prot" in second_line["error"]["detail"]
    assert second_line["error"]["pointer"].splitlines()[1].strip() == "^^^^"
    assert third["error"]["status"] == 400
    assert fourth["id"] == {"any": "thing"}


def test_series_packs_histograms(server: Server) -> None:
    query = {"metrics": ["response_time", "refused"], "from": T, "to": T + 60, "step": 60}
    (answer,) = server.lines({"queries": [query]}, "/api/v1/series?encoding=packed")
    assert answer["columns"]["response_time"]["lengths"] == [1]
    assert answer["columns"]["refused"] is None
    (plain,) = server.lines({"queries": [query]})
    assert plain["columns"]["response_time"][0][1] == 60
    assert plain["columns"]["refused"] == [None]


def test_series_takes_one_query_as_parameters(server: Server) -> None:
    path = "/api/v1/series?by=server_ip,server_port&metrics=bytes&step=30&from=2023-11-14T22:20:00Z&to=1700000460"
    answer = server.call(path).json
    assert answer["columns"]["t"] == [T, T + 30]
    assert answer["columns"]["server_port"] == [443, 443]
    assert answer["kept_from"] == T


def test_sessions_come_newest_first_page_by_page(server: Server) -> None:
    seen: list[int] = []
    path = "/api/v1/sessions?limit=7"
    cursor = ""
    while True:
        page = server.call(path + (f"&cursor={cursor}" if cursor else "")).json
        seen += [found["client_port"] for found in page["sessions"]]
        cursor = page["cursor"]
        if not cursor:
            break
    assert seen == list(range(40_029, 39_999, -1))


def test_sessions_filter_order_and_range(server: Server) -> None:
    page = server.call("/api/v1/sessions?filter=port+40003&limit=5").json
    (found,) = page["sessions"]
    assert (found["client_port"], found["outcome"], found["vni"]) == (40_003, "closed", None)
    ranked = server.call("/api/v1/sessions?order=packets&limit=2").json["sessions"]
    assert [one["packets_client"] for one in ranked] == [29, 28]
    ranked = server.call("/api/v1/sessions?order=handshake_rtt:asc&limit=1").json["sessions"]
    assert ranked[0]["client_port"] == 40_000
    ranged = server.call(f"/api/v1/sessions?from={T}&to={T + 2}").json["sessions"]
    assert [one["client_port"] for one in ranged] == [40_001, 40_000]
    assert b'"start": 1700000400.000000001' in server.call(f"/api/v1/sessions?from={T}&to={T + 1}").body


BAD: list[tuple[str, Any]] = [
    ("/api/v1/series?by=nonsense", None),
    ("/api/v1/series?filter=%00", None),
    ("/api/v1/series?filter=" + "(" * 3000, None),
    ("/api/v1/series?from=yesterday", None),
    ("/api/v1/series?from=1e400&step=NaN", None),
    ("/api/v1/series?limit=99999999999999999999", None),
    ("/api/v1/series?surprise=1", None),
    ("/api/v1/series", {"queries": "all"}),
    ("/api/v1/series", {"queries": [{}] * 201}),
    ("/api/v1/series", []),
    ("/api/v1/series", b"{"),
    ("/api/v1/series", b"\xff\xfe"),
    ("/api/v1/sessions?limit=0", None),
    ("/api/v1/sessions?cursor=zzz", None),
    ("/api/v1/sessions?cursor=W10", None),
    ("/api/v1/sessions?order=nonsense", None),
    ("/api/v1/sessions?order=start';DROP", None),
    ("/api/v1/sessions?filter=tcp[13]=2", None),
    ("/api/v1/sessions?from=2023-99-99T00:00:00Z", None),
    ("/api/v1/sessions?unheard=of", None),
]


@pytest.mark.parametrize(("path", "body"), BAD, ids=[f"{path[:60]} {str(body)[:20]}" for path, body in BAD])
def test_bad_input_is_refused_as_problem_json(server: Server, path: str, body: Any) -> None:
    reply = server.call(path, body)
    assert reply.status in (400, 413, 415, 422)
    assert reply.headers["Content-Type"] == "application/problem+json"
    assert reply.json["status"] == reply.status
    assert reply.json["detail"]


@pytest.mark.parametrize(
    "query",
    [
        {"keep": {}}, {"keep": [{}]}, {"by": "x"}, {"by": [1]}, {"from": "x"}, {"to": []}, {"step": "1.5"},
        {"limit": None},
        {"limit": True}, {"metrics": {}}, {"order": ["bytes", 7]}, {"filter": 5}, {"subject": "node"}, {"totals": []},
        {"from": -5}, {"from": 10**30}, {"step": 10**30}, {"encoding": "zip"}, {"points": 1}, {"id": []}, [], None, "x",
        {"by": ["client_net"], "keep": [{"client_net": "10.0.0.0/8"}]}, {"filter": "vni 99999999999"},
    ],
    ids=str,
)  # fmt: skip
def test_a_bad_query_spoils_only_its_own_line(server: Server, query: Any) -> None:
    good = {"id": 1, "metrics": ["bytes"], "step": 60}
    first, last = server.lines({"queries": [query, good]})
    assert last["columns"]["bytes_client"] == [600]
    assert first.get("error", {}).get("status", 200) in (200, 400, 501)


def test_unknown_paths_and_methods_are_problems_too(server: Server) -> None:
    for reply, status in (
        (server.call("/api/v1/nothing"), 404),
        (server.call("/"), 404),
        (server.call("/api/v1/status", method="DELETE"), 405),
        (server.call("/api/v1/series", b"a=b", **{"Content-Type": "text/plain"}), 415),
    ):
        assert (reply.status, reply.json["status"]) == (status, status)
        assert reply.headers["Content-Type"] == "application/problem+json"


def test_the_schema_names_every_call(server: Server) -> None:
    text = server.call("/api/schema/").body.decode()
    for path in ("/healthz", "/metrics", "/api/v1/status", "/api/v1/series", "/api/v1/sessions", "/api/v1/packets"):
        assert f"{path}:" in text


def test_it_stops_on_sigterm(tmp_path: Path) -> None:
    open_store(tmp_path)
    with serving(tmp_path) as running:
        running.process.terminate()
        assert running.process.wait(15) == 0


def test_tokens_are_asked_for_where_there_is_a_token_file(tmp_path: Path) -> None:
    open_store(tmp_path / "store")
    (tmp_path / "tokens").write_text("# for the console\nsecret-one\n\nsecret-two\n")
    with serving(tmp_path / "store", "--token-file", str(tmp_path / "tokens")) as running:
        assert running.call("/healthz").status == 200
        for path in (
            "/metrics",
            "/api/v1/status",
            "/api/v1/series",
            "/api/v1/sessions",
            "/api/v1/packets",
            "/api/schema/",
        ):
            refused = running.call(path)
            assert refused.status == 401, path
            assert refused.headers["WWW-Authenticate"].startswith("Bearer")
            assert running.call(path, Authorization="Bearer wrong").status == 401
            assert running.call(path, Authorization="Basic c2VjcmV0").status == 401
        for token in ("secret-one", "secret-two"):
            assert running.call("/api/v1/status", Authorization=f"Bearer {token}").status == 200
