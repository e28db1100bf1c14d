"""Compiling by the system's libpcap, and that our parser's reading of a filter is libpcap's own."""

from __future__ import annotations

import ctypes
import json

import numpy as np
import pytest
from hypothesis import assume, given, settings

from tests.captures import CAPTURES, needs_captures
from tests.wire.filters.expressions import expressions
from wire.filters import bpf
from wire.filters.grammar import FilterError, FilterRefused, leaves, parse
from wire.filters.split import has_role
from wire.filters.terms import Expression, Vni
from wire.packets.layout import LINK_ETHERNET, LINK_NULL, LINK_RAW, LINK_TYPES

TEXTS = [
    "host 10.0.0.1 or 10.0.0.2 and not net 10.1",
    "tcp dst port 80 or 443 and (udp or port domain)",
    "portrange ftp-ssh or port ftp-data",
    "src or dst net 10.1.0.0 mask 255.255.0.0",
    "tcp[tcpflags] & (tcp-syn|tcp-ack) == tcp-syn and not ip[0] & 0xf > 5",
    "1 ^ ip[0] & 3 = 7 or ip[1] % 4 - 1 = 2 or ip[1] - 8 % 3 + 1 = 2 and 5 * ip[3] / 2 >> 1 < 9",
    "-ip[0] + 4 < len",
    "vlan 5 and vlan and mpls 3 and host ::1",
    "ether src 01-02-03-04-05-0F or ether proto \\arp or ether multicast",
    "not not (icmp6 or ip6 protochain \\tcp)",
    "not host 1.1.1.1 and (2.2.2.2 or not 3.3.3.3)",
    "llc s or iso proto \\esis or stp or ipx",
    "less 64 or greater 100 and length != 70",
    "geneve 7 and tcp port 80",
]


def same_program(left: str, right: str) -> bool:
    return np.array_equal(bpf.compile_text(left, LINK_ETHERNET), bpf.compile_text(right, LINK_ETHERNET))


@pytest.mark.parametrize("text", TEXTS)
def test_it_gives_libpcap_a_text_of_the_same_meaning(text: str) -> None:
    assert same_program(text, str(parse(text)))


@needs_captures
def test_it_reads_every_filter_of_the_oracle_as_libpcap_does() -> None:
    filters = json.loads((CAPTURES / "oracle" / "filters.json").read_text())["filters"]
    texts = [entry["expr"] for entry in filters if entry["expr"] != "vxlan"]
    assert [text for text in texts if not same_program(text, str(parse(text)))] == []


@settings(deadline=None)
@given(expressions)
def test_it_prints_nothing_that_libpcap_cannot_parse(expression: Expression) -> None:
    assume(not any(isinstance(leaf, Vni) or has_role(leaf) for leaf in leaves(expression)))
    refusal = ""
    try:
        bpf.compile_text(str(expression), LINK_ETHERNET)
    except FilterRefused as refused:
        refusal = str(refused)
    assert "syntax error" not in refusal


@pytest.mark.parametrize("link_type", sorted(LINK_TYPES))
def test_it_compiles_for_every_link_type_that_can_be_read(link_type: int) -> None:
    assert len(bpf.compile_text("tcp port 80", link_type)) > 3


@pytest.mark.parametrize(
    ("text", "link_type", "words"),
    [
        ("vlan 5", LINK_RAW, "raw IP: no VLAN support"),
        ("ether host 01:02:03:04:05:06", LINK_NULL, "BSD loopback"),
        ("ip broadcast", LINK_ETHERNET, "Ethernet: netmask not known"),
    ],
)
def test_it_says_which_link_type_has_no_such_thing(text: str, link_type: int, words: str) -> None:
    with pytest.raises(FilterRefused, match=words) as caught:
        bpf.compile_text(text, link_type)
    assert "\n" not in str(caught.value)


def test_it_takes_a_filter_that_rejects_all_for_an_answer() -> None:
    assert bpf.compile_text("arp", LINK_RAW).tolist() == [[0x06, 0, 0, 0]]


def test_it_says_how_to_install_libpcap(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> ctypes.CDLL:
        raise OSError(name)

    monkeypatch.setattr(bpf.ctypes, "CDLL", missing)
    bpf.libpcap.cache_clear()
    try:
        with pytest.raises(bpf.LibpcapMissing, match="apt-get install -y libpcap"):
            bpf.libpcap()
    finally:
        bpf.libpcap.cache_clear()


def test_it_has_an_error_of_the_languages_own_family() -> None:
    assert issubclass(FilterRefused, FilterError)
