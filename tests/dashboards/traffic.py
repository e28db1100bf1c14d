"""Ten minutes of traffic of two monitors on two nodes, drawn from a seeded generator; the raw values stay at hand."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np

from monitors.models import Monitor, Node
from tests.dashboards.samples import OTHER, Samples, cover

START = 1_767_262_200  # 2026-01-01 10:10:00 UTC, on the grid of every tier up to 10 min
MINUTES = 10
END = START + 60 * MINUTES
CONVERSATIONS = [
    {"client_ip": f"10.0.0.{n}", "server_ip": f"10.1.0.{n % 3 + 1}", "server_port": (443, 5432)[n % 2], "protocol": 6}
    for n in range(1, 9)
]


@dataclass
class Traffic:
    """`response_ns` and `bytes` are what went in: per conversation number (8 is `other`), per 10 s step."""

    web: Monitor
    quiet: Monitor
    nodes: tuple[Node, Node]
    response_ns: dict[tuple[int, int], list[int]] = field(default_factory=lambda: defaultdict(list))
    bytes: dict[tuple[int, int], int] = field(default_factory=lambda: defaultdict(int))

    def all_ns(self, start: int = START, end: int = END) -> np.ndarray:
        rows = [values for (_, t), values in self.response_ns.items() if start <= t < end]
        return np.concatenate([np.array(row) for row in rows])

    def of(self, conversation: int) -> np.ndarray:
        return np.concatenate([np.array(row) for (n, _), row in self.response_ns.items() if n == conversation])

    def bytes_of(self, conversation: int | None = None) -> int:
        return sum(value for (n, _), value in self.bytes.items() if conversation in (None, n))

    @property
    def params(self) -> dict[str, str]:
        return {"from": str(START), "to": str(END), "zone": "UTC"}


def make_traffic() -> Traffic:
    nodes = (
        Node.objects.create(name="cstor-a", url="http://127.0.0.1:8801"),
        Node.objects.create(name="cstor-b", url="http://127.0.0.1:8802"),
    )
    web = Monitor.objects.create(name="Web", filter="tcp port 443", resolution=10)
    quiet = Monitor.objects.create(name="Quiet", resolution=60)
    for monitor in (web, quiet):
        monitor.nodes.set(nodes)
    traffic = Traffic(web, quiet, nodes)
    random = np.random.default_rng(20260101)
    samples = Samples(web)
    for t in range(START, END, 10):
        for number, keys in enumerate([*CONVERSATIONS, OTHER]):
            values = random.lognormal(np.log(2e7 * (number + 1)), 0.7, 5 + number).astype(np.int64).tolist()
            size = int(1000 * (number + 1) * random.uniform(0.5, 1.5))
            traffic.response_ns[number, t] += values
            traffic.bytes[number, t] += size
            sums = {"bytes_client": size // 4, "bytes_server": size - size // 4, "established": 2}
            sums |= {"data_packets_server": 50, "retransmissions_server": int(number == 8), "refused": int(number == 0)}
            samples.put(t, nodes[number % 2], keys, sums, response_time=values)
    samples.write()
    for node in nodes:
        cover(web, node, (START, END))
    return traffic


EDITED = END + 25


def edit_keys(traffic: Traffic) -> None:
    """At EDITED the monitor loses all keys but one; one conversation goes on, now a group of its client alone."""
    traffic.web.keys = ["client_ip"]
    traffic.web.save()
    traffic.web.definitions.filter(revision=2).update(since=datetime.fromtimestamp(EDITED, UTC))
    later = Samples(traffic.web)
    for t in (END + 20, END + 30):
        later.put(t, traffic.nodes[0], {"client_ip": "10.0.0.1"}, {"bytes_client": 5})
    later.write()
    for node in traffic.nodes:
        cover(traffic.web, node, (START, END + 40))
