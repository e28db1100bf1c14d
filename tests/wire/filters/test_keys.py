from __future__ import annotations

import pytest

from wire.filters.grammar import parse, term_for


@pytest.mark.parametrize(
    ("key", "value", "term"),
    [
        ("client_ip", "10.0.0.1", "client host 10.0.0.1"),
        ("server_ip", "2001:db8::1/128", "server host 2001:db8::1"),
        ("client_net", "10.0.0.0/24", "client net 10.0.0.0/24"),
        ("server_net", "2001:db8::/64", "server net 2001:db8::/64"),
        ("host", "10.0.0.1", "host 10.0.0.1"),
        ("server_port", 443, "server port 443"),
        ("protocol", 6, "proto 6"),
        ("vni", 0, "vni 0"),
        ("vlan", 200, "vlan 200"),
        ("vlan", None, "not vlan"),
    ],
)
def test_it_gives_every_key_a_term(key: str, value: object, term: str) -> None:
    assert term_for(key, value) == term
    assert str(parse(term)).startswith(term.split()[0])


@pytest.mark.parametrize(("key", "value"), [("is_copy", True), ("node", "a"), ("vni", None)])
def test_it_has_no_term_for_what_no_filter_can_say(key: str, value: object) -> None:
    assert term_for(key, value) is None
