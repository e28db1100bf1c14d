"""Every packet of the lab is one that a real host could have sent, and decodes as such."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lab.capture import write_capture
from lab.scenario import discover
from lab.truthfile import read
from tests.lab.reference import Packet, has_valid_checksums, packets
from wire.packets.decode import decode_batch
from wire.packets.fragments import new_fragment_table
from wire.packets.layout import SYN, new_error_counters, new_packets
from wire.packets.pcap import open_capture


@pytest.fixture(scope="module")
def capture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("lab") / "lossy.pcap"
    write_capture(discover()["lossy"], path, seconds=8, seed=5)
    return path


@pytest.fixture(scope="module")
def found(capture: Path) -> list[Packet]:
    return list(packets(capture))


@pytest.fixture(scope="module")
def decoded(capture: Path) -> np.ndarray:
    parts, errors, fragments = [], new_error_counters(), new_fragment_table()
    with open_capture(capture) as reader:
        for batch in reader:
            out = new_packets(batch.packets)
            decode_batch(batch, out, errors, fragments)
            parts.append(out)
    assert errors.sum() == 0
    return np.concatenate(parts)


def test_it_has_valid_checksums_and_lengths(found: list[Packet]) -> None:
    assert len(found) > 3000
    assert [packet for packet in found if not has_valid_checksums(packet)] == []


def test_it_is_in_order_of_time(found: list[Packet]) -> None:
    times = [packet.time_ns for packet in found]
    assert times == sorted(times)


def test_it_decodes_to_the_mirrored_packet(decoded: np.ndarray, found: list[Packet]) -> None:
    assert decoded["vni"].tolist() == [packet.vni for packet in found]
    assert decoded["ip_length"].tolist() == [len(packet.ip) for packet in found]
    assert (decoded["tunnels"] == 1).all()
    assert set(np.unique(decoded["version"])) == {4, 6}
    assert set(np.unique(decoded["protocol"])) >= {6, 17}


def test_it_offers_options_as_hosts_do(decoded: np.ndarray) -> None:
    syns = decoded[(decoded["protocol"] == 6) & (decoded["flags"] & SYN > 0)]
    assert set(np.unique(syns["option_mss"])) == {1440, 1460}
    assert set(np.unique(syns["option_scale"])) == {7}
    data = decoded[(decoded["protocol"] == 6) & (decoded["payload_length"] > 0)]
    assert data["payload_length"].max() == 1448
    assert (data["ts_val"] >= 0).any()
    assert (data["ip_length"] <= 1500).all()


def test_it_mirrors_both_ends_of_the_application_tier(decoded: np.ndarray) -> None:
    asked = decoded[decoded["dst_port"] == 8080]
    assert set(asked["vni"] // 1000) == {1, 2}
    first = asked[asked["flags"] == SYN][["src_lo", "src_port", "seq", "vni"]]
    under = {}
    for source, port, seq, vni in first.tolist():
        under.setdefault((source, port, seq), set()).add(vni)
    assert sum(len(vnis) == 2 for vnis in under.values()) > len(under) / 2


def test_it_counts_what_each_interface_has_mirrored(capture: Path, found: list[Packet]) -> None:
    told = {row["vni"]: (row["packets"], row["ip_bytes"]) for row in read(Path(f"{capture}.json"))["interfaces"]}
    for vni, (count, octets) in told.items():
        mine = [packet for packet in found if packet.vni == vni]
        assert (len(mine), sum(len(packet.ip) for packet in mine)) == (count, octets)
    assert sum(count for count, _ in told.values()) == len(found)


def test_it_leaves_nothing_behind_when_the_disk_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "lab.pcap"
    target.mkdir()
    with pytest.raises(OSError, match="directory"):
        write_capture(discover()["clean"], target, seconds=0.5)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
