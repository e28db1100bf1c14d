"""`cvu explain` tells the same story as the broker, without sending anything."""

from __future__ import annotations

from pathlib import Path

import pytest

from cvu.__main__ import main
from cvu.config import from_mapping
from cvu.explain import explain, new_explanation
from lab.capture import write_capture
from lab.scenario import discover
from tests.cvu.traffic import End, tcp, udp
from wire.packets.batch import batch_of
from wire.packets.layout import LINK_ETHERNET
from wire.packets.pcap import PcapWriter

OUTPUTS = [{"name": name, "kind": "cstor", "to": "127.0.0.1:9"} for name in ("a", "b")]
CLIENT = End("192.0.2.1", 40_000)
CONFIG = """
[[output]]
name = "a"
kind = "cstor"
to = "127.0.0.1:9"
[[rule]]
name = "names"
filter = "udp port 53"
drop = true
[[rule]]
name = "old"
filter = "port 23"
drop = true
[[rule]]
name = "rest"
copy = ["a"]
"""


def _write(path: Path, frames: list[bytes]) -> Path:
    with PcapWriter(path, LINK_ETHERNET) as writer:
        writer.write(batch_of(frames))
    return path


def test_it_tells_the_rule_of_each_packet(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    frames = [udp(CLIENT, End("10.0.0.2", 53)), tcp(CLIENT, End("10.0.0.1", 443)), bytes(12) + b"\x08\x06" + bytes(28)]
    (tmp_path / "cvu.toml").write_text(CONFIG)
    arguments = ["explain", "--config", str(tmp_path / "cvu.toml"), "--pcap", str(_write(tmp_path / "x.pcap", frames))]
    assert main(arguments) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:3] == [
        "1\t192.0.2.1:40000 > 10.0.0.2:53 udp\tnames\tdropped",
        "2\t192.0.2.1:40000 > 10.0.0.1:443 tcp\trest\ta",
        "3\tnot IP\trest\ta",
    ]
    assert "rule names: 1 packets, 33.3 %" in lines
    assert f"output a: 2 packets, 66.7 %, {len(frames[1]) + len(frames[2])} bytes" in lines
    assert lines[-1] == "rule old was never reached"
    assert main([*arguments, "--summary"]) == 0
    assert capsys.readouterr().out.splitlines() == lines[3:]


def test_it_balances_a_mirror_capture_over_both_outputs(tmp_path: Path) -> None:
    path = tmp_path / "lab.pcap"
    packets = write_capture(discover()["default"], path, seconds=8)
    rules = [
        {"name": "web", "filter": "tcp port 443", "balance": ["a", "b"]},
        {"name": "one host", "filter": "vni 2001", "copy": ["a", "b"]},
        {"name": "rest", "balance": ["a", "b"]},
    ]
    config = from_mapping({"output": OUTPUTS, "rule": rules})
    told = new_explanation(config)
    places: dict[frozenset[str], set[str]] = {}
    for line in explain(config, path, told):
        _, words, rule, outputs = line.split("\t")
        source, target = words.split(" tcp ")[0].split(" udp ")[0].split(" icmp ")[0].split(" > ")
        if rule != "one host":
            places.setdefault(frozenset((source, target)), set()).add(outputs)
    assert told.packets == packets
    assert told.unmatched == 0
    assert told.never_reached == []
    assert all(len(found) == 1 for found in places.values())
    assert told.by_output.min() > 0.35 * packets


def test_it_says_what_is_wrong_with_a_capture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "cvu.toml").write_text(CONFIG)
    (tmp_path / "x.pcap").write_bytes(b"hello world, this is no capture")
    assert main(["explain", "--config", str(tmp_path / "cvu.toml"), "--pcap", str(tmp_path / "x.pcap")]) == 1
    assert "x.pcap: offset 0:" in capsys.readouterr().err


def test_it_refuses_roles_that_a_broker_cannot_know(tmp_path: Path) -> None:
    config = CONFIG.replace("udp port 53", "client host 10.0.0.1")
    (tmp_path / "cvu.toml").write_text(config)
    assert main(["explain", "--config", str(tmp_path / "cvu.toml"), "--pcap", "none.pcap"]) == 1
