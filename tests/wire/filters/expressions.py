"""Random filters for property tests: expressions over everything that can be said, and over what conversations know."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

from hypothesis import strategies as st

from wire.filters.names import ACCESSIBLE, LLC_TYPES, PROTOCOLS
from wire.filters.terms import (
    Access,
    Address,
    Binary,
    Cast,
    EtherHost,
    Expression,
    Length,
    Negative,
    Not,
    Number,
    Port,
    Proto,
    Protocol,
    Relation,
    Tag,
    Vni,
    Word,
    conjunction,
    disjunction,
)

PLAIN_DIRECTIONS = ("either", "both", "src", "dst")
DIRECTIONS = (*PLAIN_DIRECTIONS, "client", "server")


def _ones(length: int, bits: int) -> int:
    return ((1 << length) - 1) << (bits - length)


@st.composite
def addresses(draw: st.DrawFn, directions: tuple[str, ...] = DIRECTIONS, layers: bool = True) -> Address:
    version = draw(st.sampled_from((4, 6)))
    bits = 32 if version == 4 else 128
    mask = _ones(draw(st.integers(0, bits)), bits)
    value = int(draw(st.ip_addresses(v=version))) & mask
    layer = draw(st.sampled_from(("", "ip" if version == 4 else "ip6"))) if layers else ""
    return Address(layer, draw(st.sampled_from(directions)), version, value, mask)


@st.composite
def ports(draw: st.DrawFn, directions: tuple[str, ...] = DIRECTIONS) -> Port:
    low, high = sorted(draw(st.tuples(st.integers(0, 65535), st.integers(0, 65535))))
    if draw(st.booleans()):
        high = low
    return Port(draw(st.sampled_from(("", "tcp", "udp", "sctp"))), draw(st.sampled_from(directions)), low, high)


macs = st.binary(min_size=6, max_size=6).map(lambda mac: mac.hex(":"))
numbers = st.integers(0, 0xFFFFFFFF).map(Number)
operators = st.sampled_from(("|", "&", "<<", ">>", "+", "-", "*", "/", "%", "^"))
comparisons = st.sampled_from(("=", "!=", "<", "<=", ">", ">="))
arithmetic = st.recursive(
    st.one_of(numbers, st.just(Length())),
    lambda inner: st.one_of(
        st.builds(Binary, inner, operators, inner),
        st.builds(Negative, inner),
        st.builds(Access, st.sampled_from(sorted(ACCESSIBLE)), inner, st.sampled_from((1, 2, 4))),
    ),
    max_leaves=6,
)
relations = st.builds(Relation, arithmetic, comparisons, arithmetic)

packet_terms = st.one_of(
    st.builds(EtherHost, st.sampled_from(PLAIN_DIRECTIONS), macs),
    st.sampled_from(sorted(PROTOCOLS)).map(Protocol),
    st.builds(Proto, st.sampled_from(("", "ip", "ip6")), st.integers(0, 255), st.booleans()),
    st.builds(Proto, st.just("ether"), st.integers(0, 65535)),
    st.sampled_from((("ether", "broadcast"), ("ether", "multicast"), ("ip", "multicast"), ("ip6", "multicast"))).map(
        lambda pair: Cast(*pair)
    ),
    st.builds(Tag, st.sampled_from(("vlan", "mpls", "pppoes", "geneve")), st.none() | st.integers(0, 4095)),
    st.sampled_from((Word("pppoed"), Word("inbound"), Word("outbound"), Word("ifindex", "3"), Word("llc"))),
    st.builds(Word, st.just("llc"), st.sampled_from(sorted(LLC_TYPES))),
    relations,
)


def trees(terms: st.SearchStrategy[Expression]) -> st.SearchStrategy[Expression]:
    """`and`, `or` and `not` over terms, flat as the parser makes them."""
    return st.recursive(
        terms,
        lambda inner: st.one_of(
            st.builds(conjunction, inner, inner), st.builds(disjunction, inner, inner), st.builds(Not, inner)
        ),
        max_leaves=8,
    )


vnis = st.integers(0, 0xFFFFFF).map(Vni)
expressions = trees(st.one_of(addresses(), ports(), packet_terms, vnis))

# What series can answer, drawn from few values so that rows do match.
HOSTS = [IPv4Address("10.0.0.1"), IPv4Address("10.0.1.2"), IPv4Address("192.168.3.4")]
HOSTS += [IPv6Address("2001:db8::1"), IPv6Address("2001:db8:0:1::2")]


@st.composite
def known_addresses(draw: st.DrawFn) -> Address:
    host = draw(st.sampled_from(HOSTS))
    bits = host.max_prefixlen
    mask = _ones(draw(st.sampled_from((0, 8, 16, 24, 32, 64, 128)).filter(lambda length: length <= bits)), bits)
    return Address("", draw(st.sampled_from(DIRECTIONS)), host.version, int(host) & mask, mask)


@st.composite
def known_ports(draw: st.DrawFn) -> Port:
    low = draw(st.sampled_from((0, 53, 80, 443, 50000)))
    high = draw(st.sampled_from((low, low + 1000)))
    directions = ("either", "both", "src", "dst", "server")
    return Port(draw(st.sampled_from(("", "tcp", "udp"))), draw(st.sampled_from(directions)), low, high)


conversation_expressions = trees(
    st.one_of(
        known_addresses(),
        known_ports(),
        st.sampled_from([Protocol(name) for name in ("tcp", "udp", "icmp", "ip", "ip6")]),
        st.builds(Proto, st.sampled_from(("", "ip", "ip6")), st.sampled_from((1, 6, 17))),
        st.sampled_from([Tag("vlan"), Tag("vlan", 5), Vni(0), Vni(7), Cast("ip", "multicast")]),
    )
)
