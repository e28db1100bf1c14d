"""The filter language from outside: what parses to what, and that a filter prints as itself."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.captures import CAPTURES, needs_captures
from tests.wire.filters.expressions import expressions
from wire.filters.grammar import Everything, FilterError, both, leaves, parse
from wire.filters.terms import Expression


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("host 10.0.0.1 or 10.0.0.2", "host 10.0.0.1 or host 10.0.0.2"),
        ("tcp dst port 80 or 443", "tcp dst port 80 or tcp dst port 443"),
        ("not host ::1 and ::2", "not host ::1 and host ::2"),
        ("not host (::1 or ::2)", "not (host ::1 or host ::2)"),
        ("port (80 or 443) and not 8080", "(port 80 or port 443) and not port 8080"),
        ("host 1.1.1.1 and (2.2.2.2 or 3.3.3.3)", "host 1.1.1.1 and (host 2.2.2.2 or host 3.3.3.3)"),
        ("src or dst net 10", "net 10.0.0.0/8"),
        ("dst and src net 10.1", "src and dst net 10.1.0.0/16"),
        ("net 10.1.0.0 mask 255.255.0.0", "net 10.1.0.0/16"),
        ("net 10.0.0.1 mask 255.0.0.255", "net 10.0.0.1 mask 255.0.0.255"),
        ("host 10.1", "net 10.1.0.0/16"),
        ("src 10.1.2.3", "src host 10.1.2.3"),
        ("net 2001:db8::/32", "net 2001:db8::/32"),
        ("net 2001:db8::1", "host 2001:db8::1"),
        ("ether src 01-02-03-04-05-0F", "ether src host 01:02:03:04:05:0f"),
        ("wlan host 0102.0304.0506", "ether host 01:02:03:04:05:06"),
        ("ether host 010203040506", "ether host 01:02:03:04:05:06"),
        ("ether proto \\arp", "ether proto 0x0806"),
        ("ip proto \\tcp or udp", "ip proto 6 or udp"),
        ("port ssh", "tcp port 22"),
        ("port domain", "port 53"),
        ("udp port domain", "udp port 53"),
        ("portrange ftp-data-ssh", "tcp portrange 20-22"),
        ("portrange 90-80", "portrange 80-90"),
        ("port 0x50", "port 80"),
        ("port 010", "port 8"),
        ("tcp && udp || !arp", "(tcp and udp) or not arp"),
        ("tcp or udp and arp", "(tcp or udp) and arp"),
        ("((tcp))", "tcp"),
        ("tcp[13]&2!=0", "tcp[13] & 2 != 0"),
        ("(tcp[0] + 1) * 2 == 4", "(tcp[0] + 1) * 2 = 4"),
        ("ether[0] & 1 = 0 and ip[16] >= 224", "ether[0] & 1 = 0 and ip[16] >= 224"),
        ("len - 20 > 5", "len - 20 > 5"),
        ("1 + 2 * 3 = 7", "1 + (2 * 3) = 7"),
        ("1 - 2 - 3 = 7", "(1 - 2) - 3 = 7"),
        ("1 ^ 2 & 3 = 7", "1 ^ (2 & 3) = 7"),
        ("1 & 2 % 3 = 7", "1 & (2 % 3) = 7"),
        ("less 64", "len <= 64"),
        ("vlan 5 and vlan (6)", "vlan 5 and vlan 6"),
        ("broadcast or ip multicast", "ether broadcast or ip multicast"),
        ("vni 7 and client net 10/8 and server port https", "vni 7 and client net 10.0.0.0/8 and server port 443"),
        ("", ""),
        (" \n\t", ""),
    ],
)
def test_it_prints_every_term_in_full(text: str, printed: str) -> None:
    assert str(parse(text)) == printed
    assert parse(printed) == parse(text)


@pytest.mark.parametrize(
    ("text", "column", "words"),
    [
        ("host 10.0.0.1 adn port 80", 15, "unknown word 'adn'; is 'and' meant?"),
        ("tcp 80", 5, "write 'tcp port 80'"),
        ("10.0.0.1", 1, "write 'host 10.0.0.1'"),
        ("src 443", 5, "is 'port 443' meant?"),
        ("host web1", 6, "names of hosts are not looked up"),
        ("port 80 or", 11, "the filter ends"),
        ("tcp and (port 80", 9, "never closed"),
        ("port 80)", 8, "')'"),
        ("tcp[13", 7, "']' is expected"),
        ("tcp[0:3] = 1", 7, "1, 2 or 4"),
        ("tcp[0]", 7, "a comparison"),
        ("vlan 5000", 6, "4095"),
        ("vlan 100 or 200", 13, "'200' alone"),
        ("vni", 4, "'vni' needs a number"),
        ("vni 16777216", 5, "16777215"),
        ("net 10.0.0.1/8", 5, "the network is 10.0.0.0"),
        ("net 10.0.0.0/33", 5, "32 bits"),
        ("src 10.0.0.0/8", 5, "write 'net 10.0.0.0/8'"),
        ("net 10.0.0.0/", 14, "the length of a network"),
        ("host 1.2.3.256", 6, "not an IPv4 address"),
        ("host 1:2::3::4", 6, "neither an IPv6 address nor a MAC address"),
        ("tcp host 1.1.1.1", 10, "'tcp' has no addresses"),
        ("ip6 host 1.1.1.1", 10, "IPv4 address"),
        ("ip host ::1", 9, "IPv6 address"),
        ("ip port 80", 9, "'ip' has no ports"),
        ("port 70000", 6, "ports end at 65535"),
        ("port 80-90", 6, "write 'portrange 80-90'"),
        ("port nosuchname", 6, "not the name of a port"),
        ("tcp port bootps", 10, "a port of udp"),
        ("port 089", 6, "octal"),
        ("len = 4294967296", 7, "32 bits"),
        ("ip proto 300", 10, "end at 255"),
        ("src proto 6", 5, "has no direction"),
        ("host 01:02:03:04:05:06", 6, "write 'ether host"),
        ("ether host 10.0.0.1", 12, "MAC address"),
        ("vxlan", 1, "vni N"),
        ("gateway rtr", 1, "/etc/ethers"),
        ("type mgt", 1, "Wi-Fi"),
        ("ip6 broadcast", 5, "has no broadcast"),
        ("host 1.1.1.1 port 80", 14, "join them with 'and' or 'or'"),
        ("tcp ;", 5, "';' has no meaning"),
        ("client port", 12, "a port"),
        ("arp client host 1.1.1.1", 17, "'arp' has no client"),
    ],
)
def test_it_points_at_the_word_that_is_wrong(text: str, column: int, words: str) -> None:
    with pytest.raises(FilterError) as caught:
        parse(text)
    assert words in str(caught.value)
    assert caught.value.column == column
    assert "\n" not in str(caught.value)
    shown, caret = caught.value.pointer().split("\n")
    assert shown == text
    assert caret.index("^") == column - 1


@pytest.mark.parametrize("text", ["(" * 5000 + "tcp", "not " * 5000 + "tcp", "tcp or udp and " * 300 + "tcp"])
def test_it_refuses_what_is_nested_too_deep(text: str) -> None:
    with pytest.raises(FilterError):
        parse(text)


@pytest.mark.parametrize("text", ["host " + "not " * 5000 + "::1", "len = " + "-" * 5000 + "1", "x" * 200_000])
def test_it_refuses_what_is_endless(text: str) -> None:
    with pytest.raises(FilterError):
        parse(text)


def test_it_takes_thousands_of_hosts() -> None:
    text = "host " + " or ".join(f"10.0.{index >> 8}.{index & 255}" for index in range(4000))
    assert len(list(leaves(parse(text)))) == 4000


@given(expressions)
def test_it_parses_what_it_prints(expression: Expression) -> None:
    assert parse(str(expression)) == expression


@given(st.text(alphabet="abcdeghilnoprstuvx0123456789.:/-()[]!&|=<>\\ ", max_size=40))
def test_it_answers_any_text_with_a_filter_or_an_error(text: str) -> None:
    caught = FilterError("")
    try:
        assert parse(str(parse(text))) == parse(text)
    except FilterError as error:
        caught = error
    assert 1 <= caught.column <= len(text) + 1
    assert "\n" not in str(caught)


@needs_captures
def test_it_parses_every_filter_of_the_oracle_but_one() -> None:
    filters = json.loads((CAPTURES / "oracle" / "filters.json").read_text())["filters"]
    refused = []
    for entry in filters:
        try:
            parse(entry["expr"])
        except FilterError:
            refused.append(entry["expr"])
    assert refused == ["vxlan"]  # tcpdump 4.99.3 has no such word either


def test_it_joins_two_filters() -> None:
    assert str(both(parse("tcp or udp"), parse("port 53"))) == "(tcp or udp) and port 53"
    assert both(Everything(), parse("tcp")) == parse("tcp")
    assert both(parse("tcp"), Everything()) == parse("tcp")
