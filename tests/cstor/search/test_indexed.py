"""Searches with an index answer what they answer without: over real captures, made-up traffic and hostile bytes."""

from __future__ import annotations

import random
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

import numpy as np
import pytest

from cstor.ingest import Ingest
from cstor.search import indexed
from cstor.search.plan import make_plan
from cstor.search.run import search
from cstor.store.catalog import Segment, pack_head, segments
from cstor.store.index import open_index, verify
from cstor.store.index_build import build_index
from tests.captures import CAPTURES, needs_captures
from tests.cstor.search.stores import NOON, SECOND, add_segment, ethernet, numbered, tcp
from wire.filters.error import FilterRefused
from wire.filters.grammar import parse
from wire.filters.packets import PacketFilter
from wire.packets.capturefile import CaptureError
from wire.packets.layout import LINK_ETHERNET, LINK_RAW
from wire.packets.pcap import open_capture

FILES = sorted(CAPTURES.glob("*.pcap*")) if CAPTURES else []
GENERAL = [
    "tcp", "udp", "not tcp", "icmp or icmp6", "ip6", "arp", "vni 0 or vni 7", "not vni 7", "greater 200",
    "tcp[13] & 2 != 0", "not (tcp[1000] = 1 or udp)", "udp[1000] = 1 or tcp", "proto 17", "ip proto 6", "igmp",
    "portrange 1-1023", "src port 80", "src and dst portrange 1024-65535", "net 0.0.0.0/1", "net ::/1",
    "client portrange 1024-65535", "server port 80 or tcp[13] & 4 != 0", "ip multicast", "ether broadcast",
]  # fmt: skip


def found(store: Path, text: str, outer: bool = False, start: int | None = None, end: int | None = None) -> list[int]:
    """Times and lengths of what a search finds, or that the filter is refused."""
    try:
        return [
            hash((int(batch.time_ns[n]), batch.frame(n)))
            for batch in search(store, text, start, end, outer=outer)
            for n in range(batch.packets)
        ]
    except FilterRefused:
        return [-1]


def without_index(store: Path) -> None:
    """Leave only the heads of all segments."""
    for segment in segments(store, 0, 1 << 62):
        segment.path.with_suffix(".idx").write_bytes(pack_head(segment))


def add_index(segment: Segment) -> None:
    segment.path.with_suffix(".idx").write_bytes(build_index(segment.path, segment))


def filters_of(store: Path, seed: str) -> list[str]:
    """A choice of filters, also over addresses and ports that occur."""
    texts = list(GENERAL)
    for segment in segments(store, 0, 1 << 62):
        index = open_index(segment)
        assert index
        for flows, form in ((index.flows4[:2], "v4"), (index.flows6[:2], "v6")):
            for flow in flows:
                a, b = (_text(flow, side, form) for side in "ab")
                texts += [f"host {a}", f"src host {a} and dst host {b}", f"not host {b}", f"client host {a}"]
                texts += [f"port {flow['a_port']}", f"dst port {flow['b_port']}", f"vni {max(0, flow['vni'])}"]
                texts += [f"host {a} and tcp[13] & 16 != 0", f"server host {a} and src port {flow['a_port']}"]
    return random.Random(seed).sample(texts, 14)


def _text(flow: np.ndarray, side: str, form: str) -> str:
    if form == "v4":
        return str(IPv4Address(int(flow[side])))
    high, low = (int(flow[f"{side}_{half}"]) & (2**64 - 1) for half in ("hi", "lo"))
    return str(IPv6Address(high << 64 | low))


@needs_captures
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_capture_is_searched_as_without_an_index(tmp_path: Path, path: Path) -> None:
    with Ingest(tmp_path) as running, suppress(CaptureError):
        running.file(path)
    for segment in segments(tmp_path, 0, 1 << 62):
        assert verify(segment.path.with_suffix(".idx")) is None
        index = open_index(segment)
        assert index is not None
        assert index.path.read_bytes() == build_index(segment.path, segment)
    asked = [(text, number % 3 == 0) for number, text in enumerate(filters_of(tmp_path, path.name))]
    by_index = {one: found(tmp_path, *one) for one in asked}
    for (text, outer), answer in by_index.items():
        if answer != [-1]:
            assert search(tmp_path, text, outer=outer).plan.packets >= len(answer)
    without_index(tmp_path)
    assert by_index == {one: found(tmp_path, *one) for one in asked}


def flows_of(count: int, chance: random.Random) -> list[tuple[int, bytes]]:
    """Frames of ten hosts, some of which are no IP, cut short, or long."""
    frames = []
    for number in range(count):
        hosts = chance.sample(range(10), 2)
        packet = tcp(f"10.0.0.{hosts[0]}", f"10.0.0.{hosts[1]}", 1000 + hosts[0], 80, size=chance.randrange(900))
        frame = chance.choice([ethernet(packet)] * 8 + [bytes(12) + b"\x08\x06" + bytes(28), ethernet(packet)[:30]])
        frames.append((NOON + number * 1000, frame))
    return frames


def test_a_range_is_cut_by_the_marks(tmp_path: Path) -> None:
    segment = add_segment(tmp_path, 1, flows_of(1000, random.Random(1)))
    add_index(segment)
    ranges = [(NOON + a, NOON + b) for a, b in ((0, 1), (0, 64_000), (63_000, 65_000), (500_500, 999_000), (0, 10**9))]
    texts = ("host 10.0.0.3", "src host 10.0.0.3", "not host 10.0.0.3", "arp")
    asked = [(text, *span) for text in texts for span in ranges]
    by_index = [found(tmp_path, text, False, start, end) for text, start, end in asked]
    assert search(tmp_path, "host 10.0.0.3", NOON, NOON + 64_000).count() == len(by_index[1])
    without_index(tmp_path)
    assert by_index == [found(tmp_path, text, False, start, end) for text, start, end in asked]


def test_packets_out_of_order_are_found_in_order(tmp_path: Path) -> None:
    frames = flows_of(3000, random.Random(2))
    random.Random(3).shuffle(frames)
    segment = add_segment(tmp_path, 1, frames)
    add_index(segment)
    by_index = found(tmp_path, "host 10.0.0.5")
    without_index(tmp_path)
    assert by_index == found(tmp_path, "host 10.0.0.5")


def test_frames_longer_than_an_index_can_say(tmp_path: Path) -> None:
    sizes = [60, 65_534, 65_535, 65_536, 70, 200_000, 200_001, 80] * 20
    frames = [(NOON + n, numbered(n).ljust(size, b"x")) for n, size in enumerate(sizes)]
    segment = add_segment(tmp_path, 1, frames)
    add_index(segment)
    by_index = found(tmp_path, "src port 10003 or src portrange 10100-10110")
    assert len(by_index) == 12
    without_index(tmp_path)
    assert by_index == found(tmp_path, "src port 10003 or src portrange 10100-10110")


def test_link_types_are_searched_side_by_side(tmp_path: Path) -> None:
    for sequence, link_type in ((1, LINK_ETHERNET), (2, LINK_RAW)):
        frames = [(NOON + n * SECOND, numbered(n, link_type)) for n in range(sequence, 40, 2)]
        add_index(add_segment(tmp_path, sequence, frames, link_type))
    assert search(tmp_path, "src portrange 10003-10006").count() == 4


def test_a_segment_that_cannot_match_is_not_planned(tmp_path: Path) -> None:
    for sequence in range(4):
        frames = [
            (NOON + sequence * SECOND + n, ethernet(tcp(f"10.0.{sequence}.1", "10.9.9.9", 5000, 80))) for n in (0, 1)
        ]
        add_index(add_segment(tmp_path, sequence, frames))
    plan = make_plan(tmp_path, PacketFilter(parse("host 10.0.2.1")), None, None)
    assert (len(plan.segments), plan.packets) == (1, 2)
    assert make_plan(tmp_path, PacketFilter(parse("port 81")), None, None).packets == 0
    assert search(tmp_path, "net 10.0.2.0/23").count() == 4
    assert search(tmp_path, "net 10.0.2.0/23").plan.packets == 4


def test_a_damaged_index_is_passed_over(tmp_path: Path) -> None:
    segment = add_segment(tmp_path, 1, flows_of(300, random.Random(4)))
    path = segment.path.with_suffix(".idx")
    add_index(segment)
    whole, expected = path.read_bytes(), found(tmp_path, "host 10.0.0.4")
    assert verify(path) is None
    for cut in (len(whole) - 1, len(whole) // 2, 200, 100):
        path.write_bytes(whole[:cut])
        assert verify(path)
        assert found(tmp_path, "host 10.0.0.4") == expected
    for at in range(80, len(whole), 977):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1 :])
        assert verify(path)
        assert found(tmp_path, "host 10.0.0.4") == expected


def test_an_index_of_no_flows_and_of_one_packet(tmp_path: Path) -> None:
    segment = add_segment(tmp_path, 1, [(NOON, bytes(60))])
    add_index(segment)
    assert verify(segment.path.with_suffix(".idx")) is None
    assert search(tmp_path, "ether host 00:00:00:00:00:00").count() == 1
    assert search(tmp_path, "tcp").count() == 0
    assert search(tmp_path, "tcp").plan.packets == 1  # it may be anything


def test_runs_are_cut_where_much_lies_between(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    segment = add_segment(tmp_path, 1, flows_of(2000, random.Random(6)))
    add_index(segment)
    expected = found(tmp_path, "src host 10.0.0.7")
    for gap, size in ((1, 5000), (0, 1), (1 << 30, 3000), (3000, 1 << 20)):
        monkeypatch.setattr(indexed, "READ_THROUGH", gap)
        monkeypatch.setattr(indexed, "BATCH_BYTES", size)
        assert found(tmp_path, "src host 10.0.0.7") == expected


def test_records_that_are_not_where_the_index_says_are_a_fault(tmp_path: Path) -> None:
    segment = add_segment(tmp_path, 1, flows_of(100, random.Random(8)))
    add_index(segment)
    content = bytearray(segment.path.read_bytes())
    (reader,) = open_capture(segment.path)
    for offset in reader.offset.tolist():
        content[offset - 8 : offset - 4] = b"\xff\xff\0\0"
    segment.path.write_bytes(content)
    with pytest.raises(CaptureError, match="not where the index says"):
        found(tmp_path, "host 10.0.0.7")
