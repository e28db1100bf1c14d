"""Every link type, tag, label and tunnel: the innermost TCP segment that tshark finds is the one that we find.

The frames are those of tests/wire/packets, beside AH, nested stacks and fragments, one capture per link type.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pytest

from tests.conformance.frames import records
from tests.conformance.ours import address
from tests.conformance.test_tshark import needs_tshark
from tests.conformance.theirs import tshark_frames
from tests.wire.packets import frames as words
from tests.wire.packets.test_decapsulate import INNER, INNER6, TUNNELS, on_ip, on_udp
from tests.wire.packets.test_link import FRAMES
from wire.packets.batch import batch_of
from wire.packets.layout import TCP
from wire.packets.pcap import PcapWriter

FOUR, SIX = 0x0800, 0x86DD
HELLO = words.tcp(b"hello", 1111, 443)
STACKS = {
    "AH": words.ethernet(words.ipv4(words.ah(HELLO, 6), 51)),
    "AH in IPv6": words.ethernet(words.ipv6(words.ah(HELLO, 6), 51), SIX),
    "AH around IPIP": words.ethernet(words.ipv4(words.ah(INNER, 4), 51)),
    "hop-by-hop and routing": words.ethernet(words.ipv6(words.extension(words.extension(HELLO, 6), 43), 0), SIX),
    "GRE in VLAN": words.ethernet(words.vlan(words.ipv4(words.gre(INNER, FOUR), 47), 5), 0x8100),
    "6in4 in PPPoE": words.ethernet(words.pppoe(words.ipv4(INNER6, 41)), 0x8864),
    "VXLAN in MPLS": words.ethernet(words.mpls(words.mirrored(words.ethernet(INNER))[14:], 16), 0x8847),
    "ERSPAN around VXLAN": on_ip(words.gre(words.mirrored(words.ethernet(INNER)), 0x88BE), 47),
    "VXLAN around GRE": words.mirrored(on_ip(words.gre(INNER, FOUR), 47)),
    "GENEVE around a tag": on_udp(words.geneve(words.ethernet(words.vlan(INNER, 9), 0x8100), 3), 6081),
    "GRE around PPPoE": on_ip(words.gre(words.ethernet(words.pppoe(INNER), 0x8864), 0x6558), 47),
}
# Where tshark's defaults stop before the segment that is there.
BLIND = {
    "null ipv6, Linux": "Linux' number of the address family",
    "pseudo-wire": "a preference has to say which labels carry Ethernet behind a control word",
    "pseudo-wire without control word": "or without one",
}


def cases() -> dict[int, dict[str, bytes]]:
    """Frames by link type and name."""
    found: dict[int, dict[str, bytes]] = defaultdict(dict)
    for name, (link, frame, _) in FRAMES.items():
        found[link][name] = frame
    found[1] |= {name: frame for name, (frame, _) in TUNNELS.items()} | STACKS
    return found


@needs_tshark
@pytest.mark.parametrize("link", sorted(cases()))
def test_tshark_finds_the_same_segment_inside(link: int, tmp_path: Path) -> None:
    named = cases()[link]
    path = tmp_path / "link.pcap"
    with PcapWriter(path, link) as writer:
        writer.write(batch_of(list(named.values()), link_type=link))
    told = {number: (sender, values) for number, sender, _, values in tshark_frames(path)}
    different = {}
    for number, (name, one) in enumerate(zip(named, records(path), strict=True), 1):
        assert (one["protocol"], one["complete"], one["payload_length"]) == (TCP, 1, 5), name
        ours = (address(one["src_hi"], one["src_lo"]), int(one["src_port"])), int(one["payload_length"])
        sender, values = told.get(number, (("", 0), {"length": -1}))
        if ours != (sender, values["length"]):
            different[name] = (ours, sender, values["length"])
    assert set(different) == BLIND.keys() & named.keys(), different


@needs_tshark
@pytest.mark.parametrize("size", [8, 16, 40, 504])
@pytest.mark.parametrize("version", [4, 6])
def test_tshark_completes_the_same_segments_of_fragments(size: int, version: int, tmp_path: Path) -> None:
    pieces = []
    for number, length in enumerate((0, 5, 100, 1000), 1):
        body = words.tcp(bytes(length), 1111, 443, seq=number * 2000)
        for at in range(0, len(body), size):
            part, more = body[at : at + size], at + size < len(body)
            if version == 4:
                word = at // 8 | (0x2000 if more else 0)
                pieces.append(words.ethernet(words.ipv4(part, 6, ident=number, fragment=word)))
            else:
                packet = words.ipv6(words.fragment_header(part, 6, at, more, number), 44)
                pieces.append(words.ethernet(packet, SIX))
    path = tmp_path / "fragments.pcap"
    with PcapWriter(path) as writer:
        writer.write(batch_of(pieces))
    theirs = [(number, values["length"]) for number, _, _, values in tshark_frames(path)]
    found = [(number, int(one["payload_length"])) for number, one in enumerate(records(path), 1) if one["complete"]]
    assert found == theirs
    assert [length for _, length in found] == [0, 5, 100, 1000]
    ports = {(int(one["src_port"]), int(one["dst_port"])) for one in records(path) if one["fragment"] > 1}
    assert ports == {(1111, 443)}  # later ones belong to the flow of the first
