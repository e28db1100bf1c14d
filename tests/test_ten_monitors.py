"""Ten monitors over real captures: criteria, keys and labels bring what `cstor series` and tshark say.

A real node serves a store of the captures; pulls and roll-ups run as the workers run them. tshark reads the same files
and each monitor's filter stands beside it a second time, in Python over tshark's fields.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest
from django.db import connection

from cclear.environment import ROOT
from cstor.metrics.columns import SCALARS
from cstor.metrics.registry import METRICS_OF
from monitors.labels.resolve import follow
from monitors.models import Application, Monitor, Node, Pull, Rollup, Service
from monitors.pulls.claim import claim
from monitors.pulls.run import run
from monitors.series.rollup import roll_up
from monitors.series.tiers import OTHER_GROUP, TOTAL_GROUP, table_of
from tests.captures import CAPTURES, needs_captures

pytestmark = [
    pytest.mark.django_db(transaction=True),
    needs_captures,
    pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed"),
]

FILES = (
    "http-66-flows.pcap",
    "tls-reordering-68-flows.pcap",
    "ipv6-60-flows.pcap",
    "vxlan-4-flows.pcap",
    "mixed-loss-257-flows-unordered.pcap",
    "port-scan-1994-flows.pcap",
)
STEP = 10
BASES = [base.key for base in SCALARS if base.subject == "conversations"]
METRICS = ",".join(METRICS_OF["conversations"])
FIELDS = (
    *("ip.src", "ip.dst", "ipv6.src", "ipv6.dst", "tcp.srcport", "tcp.dstport", "udp.dstport", "vxlan.vni"),
    *("tcp.len", "tcp.flags.syn", "tcp.flags.ack", "tcp.flags.reset", "tcp.analysis.retransmission", "frame.protocols"),
)


@dataclass(frozen=True)
class Packet:
    """A packet as tshark's innermost layers have it."""

    addresses: tuple[str, ...]
    ports: tuple[str, ...]
    is_tcp: bool
    is_udp: bool
    vni: str
    payload: int
    is_syn: bool
    is_reset: bool
    is_retransmission: bool


def _inside(packet: Packet, network: str) -> bool:
    return any(ip_address(address) in ip_network(network) for address in packet.addresses)


@dataclass(frozen=True)
class Case:
    """A monitor, and its filter in tshark's terms."""

    filter: str
    holds: Callable[[Packet], bool]
    keys: tuple[str, ...]


CASES = {
    "everything": Case("", lambda _: True, ("client_ip", "server_ip", "server_port", "protocol")),
    "tcp": Case("tcp", lambda p: p.is_tcp, ("server_ip", "server_port", "protocol")),
    "udp": Case("udp", lambda p: p.is_udp, ("server_port",)),
    "https": Case("tcp port 443", lambda p: p.is_tcp and "443" in p.ports, ("client_ip", "server_ip")),
    "http": Case("tcp port 80", lambda p: p.is_tcp and "80" in p.ports, ("client_net", "server_net")),
    "not http": Case("not tcp port 80", lambda p: not (p.is_tcp and "80" in p.ports), ("protocol",)),
    "ipv6": Case("ip6", lambda p: ":" in p.addresses[0], ("server_ip",)),
    "one vni": Case("vni 5569041", lambda p: p.vni == "5569041", ("vni", "client_ip", "server_ip")),
    "private": Case("net 10.0.0.0/8", lambda p: _inside(p, "10.0.0.0/8"), ()),
    "hosts": Case("tcp and net 192.168.0.0/16", lambda p: p.is_tcp and _inside(p, "192.168.0.0/16"), ("host",)),
}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    assert CAPTURES is not None
    folder = tmp_path_factory.mktemp("captures") / "store"
    files = [str(CAPTURES / name) for name in FILES]
    command = [sys.executable, "-m", "cstor", "ingest", "--store", str(folder), *files]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def url(store: Path) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "cstor", "serve", "--store", str(store), "--listen", f"127.0.0.1:{port}"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    try:
        end = time.monotonic() + 60
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            assert process.poll() is None and time.monotonic() < end
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


@pytest.fixture(scope="module")
def packets() -> list[Packet]:
    """Every IP packet of the files, by tshark."""
    assert CAPTURES is not None
    return [
        packet
        for name in FILES
        for line in _tshark(CAPTURES / name)
        if (packet := _packet(line.split("\t"))) is not None
    ]


def _tshark(path: Path) -> list[str]:
    fields = [word for name in FIELDS for word in ("-e", name)]
    command = ["tshark", "-n", "-r", str(path), "-T", "fields", "-E", "occurrence=l", *fields]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()


def _packet(values: list[str]) -> Packet | None:
    field = dict(zip(FIELDS, values, strict=True))
    layers = field["frame.protocols"].split(":")
    # An ICMP error quotes the head of the packet that it is about.
    errors = [at for at, layer in enumerate(layers) if layer in ("icmp", "icmpv6")]
    layers = layers[: errors[0] + 1] if errors else layers
    internet = [at for at, layer in enumerate(layers) if layer in ("ip", "ipv6")]
    if not internet:
        return None
    version, transport = layers[internet[-1]], [*layers, ""][internet[-1] + 1]
    is_tcp, true = transport == "tcp", {"1", "True"}
    return Packet(
        (field[f"{version}.src"], field[f"{version}.dst"]),
        (field["tcp.srcport"], field["tcp.dstport"]),
        is_tcp,
        transport == "udp",
        field["vxlan.vni"],
        int(field["tcp.len"] or 0) if is_tcp else 0,
        is_tcp and field["tcp.flags.syn"] in true and field["tcp.flags.ack"] not in true,
        is_tcp and field["tcp.flags.reset"] in true,
        is_tcp and bool(field["tcp.analysis.retransmission"]),
    )


def _pull_all(now: float) -> None:
    """Until nothing is missing any more, as beat and workers would."""
    for turn in range(200):
        for lease in claim(now + 100 * turn):
            results = run(lease, clock=lambda turn=turn: now + 100 * turn)
            assert [result.error for result in results if result.error] == []
        if not Pull.objects.exclude(error="").exists() and not _is_missing():
            break
    assert not Pull.objects.exclude(error="").exists()
    roll_up(now + 10**9)
    assert not Rollup.objects.exists()


def _is_missing() -> bool:
    """Whether a pull's history, from the oldest second of the node on, is not whole yet."""
    return any(
        len(pull.covered) != 1 or pull.covered[0][0] > (pull.node.oldest or 0)
        for pull in Pull.objects.select_related("node")
    )


def _series(store: Path, text: str, *words: str) -> dict[int, dict[str, int]]:
    """Scalars of the node's own totals by time, from the command line."""
    command = [sys.executable, "-m", "cstor", "series", "--store", str(store), "--filter", text, "--bases", *words]
    output = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    rows = [json.loads(line) for line in output.splitlines()]
    return {row["t"]: {key: row[key] for key in BASES if row.get(key) is not None} for row in rows}


def _samples(monitor: Monitor, step: int, condition: str = f"group_id = {TOTAL_GROUP}") -> dict[int, dict[str, int]]:
    columns = ", ".join(BASES)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT extract(epoch FROM t)::bigint, {columns} FROM {table_of(step)}"
            f" WHERE monitor_id = %s AND {condition} ORDER BY t",
            [monitor.pk],
        )
        return {
            t: {key: value for key, value in zip(BASES, values, strict=True) if value is not None}
            for t, *values in cursor.fetchall()
        }


def _sum(rows: dict[int, dict[str, int]], *keys: str) -> int:
    return sum(row.get(key, 0) for row in rows.values() for key in keys)


def test_ten_monitors_bring_what_the_node_and_tshark_say(store: Path, url: str, packets: list[Packet]) -> None:
    node = Node.objects.create(name="captures", url=url)
    monitors = {}
    for name, case in CASES.items():
        monitors[name] = Monitor.objects.create(
            name=name, filter=case.filter, keys=list(case.keys), resolution=STEP, interval_s=STEP, top_n=20
        )
        monitors[name].nodes.set([node])
    _pull_all(time.time())
    for name, case in CASES.items():
        monitor = monitors[name]
        for step in (STEP, 3600):
            told = _series(store, case.filter, "--metrics", METRICS, "--step", str(step))
            assert _samples(monitor, step) == told, f"{name}, {step} s"
        rows = _samples(monitor, STEP)
        assert rows, name
        seen = [packet for packet in packets if case.holds(packet)]
        by_tshark = {
            "packets": len(seen),
            "syns": sum(packet.is_syn for packet in seen),
            "resets": sum(packet.is_reset for packet in seen),
            "retransmissions": sum(packet.is_retransmission for packet in seen),
        }
        by_us = {
            "packets": _sum(rows, "packets_client", "packets_server"),
            "syns": _sum(rows, "syns"),
            "resets": _sum(rows, "resets_client", "resets_server"),
            "retransmissions": _sum(rows, "retransmissions_client", "retransmissions_server"),
        }
        assert by_us == by_tshark, name
        if all(packet.is_tcp for packet in seen):
            payload = sum(packet.payload for packet in seen)
            assert _sum(rows, "payload_bytes_client", "payload_bytes_server") == payload, name


def test_keys_and_labels_part_the_total_as_the_node_parts_it(store: Path, url: str) -> None:
    node = Node.objects.create(name="captures", url=url)
    monitor = Monitor.objects.create(
        name="servers", filter="tcp", keys=["server_ip", "server_port", "protocol"], resolution=STEP, top_n=1000
    )
    monitor.nodes.set([node])
    _pull_all(time.time())
    assert _samples(monitor, STEP, f"group_id = {OTHER_GROUP}") == {}, "every group has a name"
    https = Application.objects.create(name="HTTPS")
    https.ports.create(protocol=6, port_from=443)
    private = Service.objects.create(name="private")
    private.endpoints.create(network="10.0.0.0/8")
    web = Service.objects.create(name="web")
    web.endpoints.create(network="0.0.0.0/0", protocol=6, port_from=80, port_to=80)
    follow()
    for column, label, text in (
        ("application_id", https.pk, "tcp and server port 443"),
        ("service_id", private.pk, "tcp and server net 10.0.0.0/8"),
        ("service_id", web.pk, "tcp and ip and server port 80 and not server net 10.0.0.0/8"),
    ):
        condition = (
            f"group_id IN (SELECT id FROM monitors_group WHERE monitor_id = {monitor.pk} AND {column} = {label})"
        )
        told = _series(store, text, "--metrics", "packets,bytes", "--step", "86400")
        found = _packets_by_day(monitor, condition)
        assert found == {t: _sum({t: row}, "packets_client", "packets_server") for t, row in told.items()}, text
        assert sum(found.values()) > 0


def _packets_by_day(monitor: Monitor, condition: str) -> dict[int, int]:
    out: Counter[int] = Counter()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT extract(epoch FROM t)::bigint, coalesce(packets_client, 0) + coalesce(packets_server, 0)"
            f" FROM samples_10 WHERE monitor_id = %s AND {condition}",
            [monitor.pk],
        )
        for t, value in cursor.fetchall():
            out[t // 86_400 * 86_400] += value
    return dict(out)
