"""Filters over packets: tcpdump's counts for the frame as it is, the innermost packet by default."""

from __future__ import annotations

import json
from collections import Counter
from functools import cache

import numpy as np
import pytest
from numba.core import config

from tests.captures import CAPTURES, needs_captures
from wire.filters.grammar import FilterRefused, parse
from wire.filters.packets import PacketFilter
from wire.packets.batch import PacketBatch
from wire.packets.decode import decode_batch
from wire.packets.fragments import new_fragment_table
from wire.packets.layout import LINK_RAW, new_error_counters, new_packets
from wire.packets.pcap import open_capture

pytestmark = pytest.mark.skipif(config.DISABLE_JIT, reason="whole captures are too slow for interpreted kernels")

# Captures of the oracle in which nothing lies between the link header and the only IP header: both readings are one.
BARE = (
    "http-66-flows.pcap",
    "ipv6-60-flows.pcap",
    "dns-fragments-v4-v6.pcap",
    "sll-rtsp-fast-retransmissions.pcapng",
    "raw-ip-12-flows.pcap",
    "null-smb2.pcap",
    "fuzzed-big-endian-sip.pcap",
    "ipv6-fragments.pcapng",
)


@cache
def oracle() -> dict:  # type: ignore[type-arg]
    return json.loads((CAPTURES / "oracle" / "filters.json").read_text())  # type: ignore[no-any-return, union-attr]


@cache
def decoded(name: str) -> list[tuple[PacketBatch, np.ndarray]]:
    fragments, batches = new_fragment_table(), []
    for batch in open_capture(CAPTURES / name).batches():  # type: ignore[operator]
        kept = PacketBatch(*(column.copy() for column in batch[:5]), batch.link_type)
        packets = new_packets(kept.packets)
        decode_batch(kept, packets, new_error_counters(), fragments)
        batches.append((kept, packets))
    return batches


def count(name: str, text: str, outer: bool = False) -> int:
    chosen = PacketFilter(parse(text), outer)
    for batch, _ in decoded(name):
        chosen.check(batch.link_type)
    return sum(int(chosen.mask(batch, packets).sum()) for batch, packets in decoded(name))


def differences(name: str, outer: bool) -> list[tuple[str, int, int]]:
    found = []
    for entry in oracle()["filters"]:
        refusal = entry.get("refused", {}).get(name, "")
        if refusal and "rejects all packets" not in refusal:
            continue
        expected = entry["counts"].get(name, 0)
        if (ours := count(name, entry["expr"], outer)) != expected:
            found.append((entry["expr"], ours, expected))
    return found


@needs_captures
@pytest.mark.parametrize("name", oracle()["captures"] if CAPTURES else [])
def test_it_counts_as_tcpdump_over_frames_as_they_are(name: str) -> None:
    assert differences(name, outer=True) == []


@needs_captures
@pytest.mark.parametrize("name", BARE)
def test_it_counts_as_tcpdump_by_default_where_nothing_is_wrapped(name: str) -> None:
    assert differences(name, outer=False) == []


@needs_captures
def test_it_refuses_what_tcpdump_refuses() -> None:
    for entry in oracle()["filters"]:
        for name, reason in entry.get("refused", {}).items():
            if "rejects all packets" in reason:
                assert count(name, entry["expr"], outer=True) == 0
            elif entry["expr"] != "vxlan":
                with pytest.raises(FilterRefused) as caught:
                    count(name, entry["expr"])
                assert reason.split(" on ")[0] in str(caught.value)


@needs_captures
@pytest.mark.parametrize(
    ("name", "text", "inner", "outer"),
    [
        ("vxlan-4-flows.pcap", "tcp", 82, 0),
        ("vxlan-4-flows.pcap", "udp port 4789", 0, 100),
        ("vxlan-4-flows.pcap", "vni 5569041", 100, 100),
        ("vxlan-4-flows.pcap", "vni 5569042", 0, 0),
        ("vxlan-4-flows.pcap", "vni 5569041 and tcp", 82, 0),
        ("vxlan-4-flows.pcap", "not vni 5569041 or udp", 18, 100),
        ("geneve-43-flows.pcap", "tcp port 443", 346, 178),
        ("geneve-43-flows.pcap", "geneve and tcp port 443", 168, 168),
        ("vlan-retransmissions.pcap", "tcp", 333, 0),
        ("vlan-retransmissions.pcap", "vlan 200 and tcp", 333, 333),
        ("vlan-retransmissions.pcap", "not vlan 7 and tcp", 333, 333),
        ("vlan-retransmissions.pcap", "vlan 7", 0, 0),
        ("qinq-pppoe-ipv6.pcap", "vlan and vlan and pppoes and tcp", 30, 30),
        ("qinq-pppoe-ipv6.pcap", "tcp", 30, 0),
        ("mpls-tcp.pcap", "mpls and tcp", 11, 11),
        ("mpls-tcp.pcap", "tcp", 19, 8),
    ],
)
def test_it_looks_at_the_innermost_packet_unless_told_otherwise(name: str, text: str, inner: int, outer: int) -> None:
    assert (count(name, text), count(name, text, outer=True)) == (inner, outer)


@needs_captures
@pytest.mark.parametrize("name", ["vxlan-4-flows.pcap", "geneve-43-flows.pcap", "mpls-tcp.pcap", "qinq-gtp-rtmp.pcap"])
def test_it_selects_the_packets_of_the_conversations_that_a_filter_selects(name: str) -> None:
    """What series say of a filter and what a search finds are the same packets: innermost TCP here."""
    tcp = sum(int((packets["protocol"] == 6).sum()) for _, packets in decoded(name))
    assert count(name, "tcp") == tcp


@needs_captures
def test_it_follows_two_tags_in_the_order_of_the_text() -> None:
    name = "qinq-pppoe-ipv6.pcap"
    frames = [batch.frame(i) for batch, _ in decoded(name) for i in range(batch.packets)]
    pairs = Counter(tuple(int.from_bytes(frame[at : at + 2], "big") & 0xFFF for at in (14, 18)) for frame in frames)
    (first, second), number = pairs.most_common(1)[0]
    assert first != second
    assert number > 1
    assert count(name, f"vlan {first} and vlan {second}") == number
    assert count(name, f"vlan {first} and len > 0 and vlan {second}") == number
    assert count(name, f"vlan {second} and vlan {first}") == 0


@needs_captures
def test_it_asks_for_roles_by_direction() -> None:
    name = "http-66-flows.pcap"
    chosen = PacketFilter(parse("client host 10.0.0.6 and server port 80"))
    assert chosen.needs_roles
    found = 0
    for batch, packets in decoded(name):
        forward = np.where(packets["dst_port"] == 80, 1, np.where(packets["src_port"] == 80, 0, -1)).astype(np.int8)
        found += int(chosen.mask(batch, packets, forward).sum())
    assert found == count(name, "host 10.0.0.6 and tcp port 80")
    reversed_roles = PacketFilter(parse("server host 10.0.0.6"))
    batch, packets = decoded(name)[0]
    forward = np.where(packets["dst_port"] == 80, 1, 0).astype(np.int8)
    src = PacketFilter(parse("src host 10.0.0.6")).mask(batch, packets)
    dst = PacketFilter(parse("dst host 10.0.0.6")).mask(batch, packets)
    expected = (src & (forward == 0)) | (dst & (forward == 1))
    assert np.array_equal(reversed_roles.mask(batch, packets, forward), expected)


@needs_captures
def test_it_points_at_the_filter_when_the_link_type_lacks_something() -> None:
    with pytest.raises(FilterRefused, match="raw IP: no VLAN support") as caught:
        PacketFilter(parse("tcp and vlan 5"), text="tcp and vlan 5").check(LINK_RAW)
    assert caught.value.text == "tcp and vlan 5"


def test_it_needs_no_decoding_for_the_outer_frame_alone() -> None:
    assert not PacketFilter(parse("tcp port 443"), outer=True).needs_packets
    assert not PacketFilter(parse("")).needs_packets
    assert PacketFilter(parse("tcp port 443")).needs_packets
    assert PacketFilter(parse("vni 7"), outer=True).needs_packets
