"""The broker with real sockets: what goes in comes out where the rules say, at once, whatever the outputs do."""

from __future__ import annotations

import random
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cvu.address import ConfigError
from cvu.broker import Broker
from cvu.config import from_mapping
from lab.frames import address_text
from tests.cvu.traffic import End, Tool, carry, geneve, tcp, udp, vxlan
from wire.packets.pcap import open_capture

ROOT = Path(__file__).resolve().parents[2]
CLIENT, SERVER = End("192.0.2.1", 40_000), End("10.0.0.1", 443)

Start = Callable[..., Broker]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts brokers and closes them again."""
    started: list[Broker] = []

    def start(outputs: list[dict[str, str]], rules: list[dict[str, Any]]) -> Broker:
        broker = Broker(from_mapping({"listen": "127.0.0.1:0", "output": outputs, "rule": rules}))
        broker.start()
        started.append(broker)
        return broker

    yield start
    for broker in started:
        broker.stop()
        broker.run()


def _feeds(*tools: Tool, kind: str = "cstor") -> list[dict[str, str]]:
    return [{"name": f"tool-{number}", "kind": kind, "to": tool.to} for number, tool in enumerate(tools)]


def _names(*tools: Tool) -> list[str]:
    return [f"tool-{number}" for number in range(len(tools))]


def test_it_sends_both_directions_of_a_flow_to_one_output(start: Start) -> None:
    tools = (Tool(), Tool())
    broker = start(_feeds(*tools), [{"balance": _names(*tools)}])
    ports = random.Random(4).sample(range(1_024, 65_536), 60)
    flows = [(End("192.0.2.1", port), SERVER) for port in ports]
    flows += [(End("2001:db8::1", port), End("2001:db8::2", 443)) for port in ports]
    carry(broker, [frame for a, b in flows for frame in (tcp(a, b), tcp(b, a, b"answer"))])
    places: dict[frozenset[object], set[int]] = {}
    for place, tool in enumerate(tools):
        for _, datagram in tool.take():
            places.setdefault(_flow(geneve(datagram)[2]), set()).add(place)
    assert len(places) == 120
    assert all(len(found) == 1 for found in places.values())
    shares = [sum(found == {place} for found in places.values()) for place in (0, 1)]
    assert min(shares) > 35


def _flow(frame: bytes) -> frozenset[object]:
    size, at = (4, 26) if frame[14] >> 4 == 4 else (16, 22)
    ends = at + 2 * size
    addresses = (address_text(frame[at : at + size]), address_text(frame[at + size : ends]))
    ports = (frame[ends : ends + 2], frame[ends + 2 : ends + 4])
    return frozenset(zip(addresses, ports, strict=True))


def test_it_hands_over_vni_and_receive_time(start: Start) -> None:
    tool = Tool()
    broker = start(_feeds(tool), [{"balance": ["tool-0"]}])
    before = time.time_ns()
    carry(broker, [tcp(CLIENT, SERVER, b"hello")], vni=0xABCDEF)
    [(_, datagram)] = tool.take()
    vni, received_ns, frame = geneve(datagram)
    assert (vni, frame) == (0xABCDEF, tcp(CLIENT, SERVER, b"hello"))
    assert before <= received_ns <= time.time_ns()


def test_it_sends_vxlan_on_as_it_came(start: Start) -> None:
    tool = Tool()
    broker = start(_feeds(tool, kind="vxlan"), [{"balance": ["tool-0"]}])
    carry(broker, [udp(CLIENT, SERVER, b"x" * 1_400)], vni=5)
    assert [datagram for _, datagram in tool.take()] == [vxlan(udp(CLIENT, SERVER, b"x" * 1_400), 5)]


def test_it_takes_geneve_of_another_broker_with_its_receive_time(start: Start) -> None:
    tool = Tool()
    last = start(_feeds(tool), [{"balance": ["tool-0"]}])
    first = start([{"name": "next", "kind": "cstor", "to": f"127.0.0.1:{last.address[1]}"}], [{"balance": ["next"]}])
    before = time.time_ns()
    carry(first, [tcp(CLIENT, SERVER)], vni=9)
    between = time.time_ns()
    time.sleep(0.02)
    assert last.step(1) == 1
    [(_, datagram)] = tool.take()
    vni, received_ns, frame = geneve(datagram)
    assert (vni, frame) == (9, tcp(CLIENT, SERVER))
    assert before <= received_ns <= between


def test_it_lets_the_first_rule_win(start: Start) -> None:
    tools = (Tool(), Tool())
    rules = [
        {"name": "no dns", "filter": "udp port 53", "drop": True},
        {"name": "web", "filter": "tcp port 443", "copy": ["tool-0", "tool-1"]},
        {"name": "one", "filter": "vni 7 and host 10.0.0.1", "balance": ["tool-0"]},
    ]
    broker = start(_feeds(*tools), rules)
    frames = [udp(CLIENT, End("10.0.0.1", 53)), tcp(CLIENT, SERVER), tcp(CLIENT, End("10.0.0.1", 80))]
    carry(broker, [*frames, tcp(CLIENT, End("10.0.0.9", 80))])
    assert [geneve(datagram)[2] for _, datagram in tools[0].take()] == frames[1:]
    assert [geneve(datagram)[2] for _, datagram in tools[1].take()] == [frames[1]]
    assert broker.stats.rule_packets.tolist() == [1, 1, 1]
    assert broker.stats.unmatched_packets == 1


def test_it_writes_a_capture_that_opens(start: Start, tmp_path: Path) -> None:
    outputs = [{"name": "file", "kind": "pcapfile", "to": str(tmp_path / "taken.pcap")}]
    broker = start(outputs, [{"filter": "tcp", "copy": ["file"]}])
    carry(broker, [tcp(CLIENT, SERVER, b"kept"), udp(CLIENT, SERVER)])
    broker.stop()
    broker.run()
    with open_capture(tmp_path / "taken.pcap") as reader:
        assert [batch.frame(0) for batch in reader] == [tcp(CLIENT, SERVER, b"kept")]


def test_it_counts_what_is_not_mirror_traffic_and_what_is_malformed(start: Start) -> None:
    tool = Tool()
    broker = start(_feeds(tool), [{"balance": ["tool-0"]}])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for datagram in (b"", b"hello", bytes(60), vxlan(tcp(CLIENT, SERVER)[:30]), vxlan(tcp(CLIENT, SERVER))):
            sender.sendto(datagram, broker.address)
    deadline = time.monotonic() + 5
    while broker.stats.received_packets < 5 and time.monotonic() < deadline:
        broker.step(0.1)
    assert broker.stats.not_mirrored == 3
    assert sum(broker.stats.malformed.values()) == 1
    # A malformed frame is somebody's evidence: it is carried on.
    assert len(tool.take()) == 2


def test_it_goes_on_when_an_output_is_gone(start: Start) -> None:
    gone, here = Tool(), Tool()
    broker = start(_feeds(gone, here), [{"copy": ["tool-0", "tool-1"]}])
    gone.socket.close()
    carry(broker, [tcp(CLIENT, End("10.0.0.1", port)) for port in range(1, 21)])
    assert len(here.take()) == 20
    assert broker.stats.output_errors[0] > 0
    assert broker.stats.output_errors[1] == 0


def test_it_does_not_wait_for_a_batch_to_fill(start: Start) -> None:
    tool = Tool()
    broker = start(_feeds(tool), [{"balance": ["tool-0"]}])
    thread = threading.Thread(target=broker.run)
    thread.start()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for number in range(200):
            sender.sendto(vxlan(tcp(CLIENT, SERVER, b"%d" % number)), broker.address)
            time.sleep(0.002)
    time.sleep(0.1)
    broker.stop()
    thread.join(5)
    waits_ns = sorted(arrived - geneve(datagram)[1] for arrived, datagram in tool.take())
    assert len(waits_ns) == 200
    assert waits_ns[100] < 5_000_000


def test_it_says_which_address_is_taken() -> None:
    tool = Tool()
    mapping = {"listen": tool.to, "output": _feeds(tool), "rule": [{"balance": ["tool-0"]}]}
    with pytest.raises(ConfigError, match=r"cannot listen on 127\.0\.0\.1:.*stop what listens there"):
        Broker(from_mapping(mapping)).start()


def test_it_runs_as_a_command_until_sigterm(tmp_path: Path) -> None:
    tool = Tool()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        http = f"127.0.0.1:{probe.getsockname()[1]}"
    (tmp_path / "cvu.toml").write_text(
        f'listen = "127.0.0.1:0"\nhttp = "{http}"\n[[output]]\nname = "a"\nkind = "cstor"\nto = "{tool.to}"\n'
        '[[rule]]\nname = "all"\nbalance = ["a"]\n'
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "cvu", "run", "--config", str(tmp_path / "cvu.toml")],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert process.stdout is not None
    port = int(process.stdout.readline().split(";")[0].rpartition(":")[2])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(vxlan(tcp(CLIENT, SERVER)), ("127.0.0.1", port))
    time.sleep(0.5)
    with urllib.request.urlopen(f"http://{http}/healthz") as answer:
        assert answer.status == 200
    with urllib.request.urlopen(f"http://{http}/metrics") as answer:
        text = answer.read().decode()
    assert 'cvu_rule_packets_total{rule="all"} 1\n' in text
    assert 'cvu_output_packets_total{output="a"} 1\n' in text
    process.terminate()
    out, _ = process.communicate(timeout=5)
    assert process.returncode == 0
    assert "1 packets received, 0 dropped by the kernel" in out
    assert len(tool.take()) == 1
