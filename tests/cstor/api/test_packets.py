"""GET packets and GET packets/count, asked of a real API process."""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

import pytest

from tests.cstor.search.stores import NOON, SECOND, add_segment, numbered
from wire.packets.layout import LINK_RAW
from wire.packets.pcap import open_capture

ROOT = Path(__file__).resolve().parents[3]


@dataclass
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> dict:  # type: ignore[type-arg]
        return json.loads(self.body)  # type: ignore[no-any-return]


@dataclass
class Node:
    store: Path
    port: int

    def connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)

    def get(self, path: str, **params: object) -> Answer:
        connection = self.connection()
        query = urlencode({name.rstrip("_"): value for name, value in params.items()})
        connection.request("GET", f"/api/v1/{path}?{query}")
        response = connection.getresponse()
        return Answer(response.status, response.headers, response.read())


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    store = tmp_path_factory.mktemp("api") / "s"
    add_segment(store, 1, [(NOON + n * SECOND, numbered(n, size=500)) for n in range(3000)])
    raw = [(NOON + 5000 * SECOND + n, numbered(n, LINK_RAW)) for n in range(3)]
    add_segment(store, 2, raw, LINK_RAW)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "cstor", "serve", "--store", str(store), "--listen", f"127.0.0.1:{port}"]
    process = subprocess.Popen(command, cwd=ROOT)
    try:
        found = Node(store, port)
        for _ in range(600):
            try:
                if found.get("status").status == 200:
                    break
            except OSError:
                time.sleep(0.1)
        yield found
    finally:
        process.terminate()
        process.wait(20)


def test_it_streams_a_pcap_in_time_order(node: Node, tmp_path: Path) -> None:
    answer = node.get("packets", filter="tcp port 80", from_=NOON // SECOND, to=NOON // SECOND + 4000)
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "application/vnd.tcpdump.pcap"
    assert answer.headers["Transfer-Encoding"] == "chunked"
    assert answer.headers["X-Planned-Packets"] == "3000"
    assert answer.headers["X-Kept-From"] == "2023-11-14T22:13:20Z"
    assert answer.headers["X-Limit"] == "1073741824 bytes"
    (tmp_path / "x.pcap").write_bytes(answer.body)
    times = [t for batch in open_capture(tmp_path / "x.pcap") for t in batch.time_ns.tolist()]
    assert times == [NOON + n * SECOND for n in range(3000)]


def test_it_counts_the_same(node: Node) -> None:
    answer = node.get("packets/count", filter="src portrange 10010-10019")
    assert answer.status == 200
    assert (answer.json["packets"], answer.json["bytes"]) == (10 + 0, 10 * (16 + 554))
    assert answer.json["kept_from"] == "2023-11-14T22:13:20Z"


def test_it_says_what_is_not_kept(node: Node) -> None:
    answer = node.get("packets/count", filter="tcp", from_=1_600_000_000)
    assert answer.json["packets"] == 3003
    assert "packets before 2023-11-14T22:13:20Z are not kept" in answer.json["note"]


def test_it_stops_at_the_limits(node: Node) -> None:
    to = NOON // SECOND + 4000
    answer = node.get("packets", max_packets=5, to=to)
    assert len(answer.body) == 24 + 5 * (16 + 554)
    assert answer.headers["X-Limit"] == "1073741824 bytes, 5 packets"
    assert answer.headers["X-Planned-Packets"] == "5"
    assert len(node.get("packets", max_bytes=2000, to=to).body) == 24 + 3 * (16 + 554)


@pytest.mark.parametrize(
    ("params", "status", "words"),
    [
        ({"filter": "tcp prot 80"}, 400, "unknown word 'prot'"),
        ({"filter": "udp"}, 404, "no packet matches the filter in this range; packets are kept from 2023-11-14"),
        ({"filter": "tcp", "from": "1800000000"}, 404, "no packets are stored for this range"),
        ({"filter": "tcp"}, 422, "(Ethernet, raw IP)"),
        ({"filter": "tcp", "from": "soon"}, 400, "from"),
        ({"filter": "tcp", "from": "1700000009", "to": "1700000009"}, 400, "later than"),
        ({"max_packets": "-1"}, 400, "max_packets"),
        ({"format": "tar"}, 400, "pcap or pcapng"),
        ({"colour": "red"}, 400, "unknown parameter 'colour'"),
    ],
)
def test_it_answers_with_a_problem_before_the_first_byte(
    node: Node, params: dict[str, str], status: int, words: str
) -> None:
    answer = node.get("packets", **params)
    assert answer.status == status
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert words in answer.json["detail"]


def test_it_points_at_the_word(node: Node) -> None:
    answer = node.get("packets/count", filter="tcp prot 80").json
    assert answer["column"] == 5
    assert answer["pointer"].endswith("\n    ^^^^")


def test_it_mixes_link_types_in_pcapng(node: Node, tmp_path: Path) -> None:
    answer = node.get("packets", format="pcapng", from_=NOON // SECOND + 2998)
    assert answer.headers["Content-Type"] == "application/x-pcapng"
    (tmp_path / "x.pcapng").write_bytes(answer.body)
    assert sum(batch.packets for batch in open_capture(tmp_path / "x.pcapng")) == 5


@pytest.mark.parametrize("wanted", [{"Accept-Encoding": "gzip"}, {"Accept": "application/vnd.tcpdump.pcap"}])
def test_it_sends_plain_pcap_whatever_is_accepted(node: Node, wanted: dict[str, str]) -> None:
    connection = node.connection()
    connection.request("GET", "/api/v1/packets?max_packets=1&to=1700004000", headers=wanted)
    assert connection.getresponse().read()[:4] == bytes.fromhex("4d3cb2a1")


def test_it_ends_a_broken_answer_without_its_last_chunk(node: Node) -> None:
    broken = add_segment(node.store, 3, [(NOON + 4000 * SECOND, numbered(50))])
    with broken.path.open("r+b") as file:
        file.seek(24 + 8)
        file.write(b"\xff" * 4)
    try:
        connection = node.connection()
        connection.request("GET", f"/api/v1/packets?to={NOON // SECOND + 4500}")
        response = connection.getresponse()
        assert response.status == 200
        with pytest.raises((http.client.IncompleteRead, ConnectionError)):
            response.read()
    finally:
        broken.path.unlink()
        broken.path.with_suffix(".idx").unlink()


def test_it_frees_its_place_when_the_reader_leaves(node: Node) -> None:
    for _ in range(8):
        connection = node.connection()
        connection.request("GET", f"/api/v1/packets?to={NOON // SECOND + 4000}")
        connection.getresponse().read(100)
        connection.close()
    deadline = time.monotonic() + 20
    while (status := node.get("packets/count", filter="tcp").status) == 429 and time.monotonic() < deadline:
        time.sleep(0.2)
    assert status == 200
