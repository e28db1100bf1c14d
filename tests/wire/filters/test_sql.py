"""Filters as SQL: on a real DuckDB over Parquet against a naive reading, and what PostgreSQL is given."""

from __future__ import annotations

from dataclasses import astuple
from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings

from tests.wire.filters import conversations
from tests.wire.filters.expressions import conversation_expressions
from wire.filters.grammar import FilterRefused, parse
from wire.filters.sql import SERIES, SESSIONS, samples, where
from wire.filters.terms import Expression

ROWS = conversations.some(300, seed=4)


@pytest.fixture(scope="module")
def parquet(tmp_path_factory: pytest.TempPathFactory) -> duckdb.DuckDBPyConnection:
    """A session file as a node writes it: addresses as blobs, NULL where there is no VNI or VLAN."""
    path = tmp_path_factory.mktemp("sql") / "rows.parquet"
    connection = duckdb.connect()
    connection.execute(
        "create table r (n int, client_addr blob, server_addr blob, client_port int, server_port int, "
        "protocol int, vni int, vlan int)"
    )
    values = [
        [n, *map(conversations.mapped, (row.client, row.server)), *astuple(row)[2:]] for n, row in enumerate(ROWS)
    ]
    connection.executemany("insert into r values (?, ?, ?, ?, ?, ?, ?, ?)", values)
    connection.execute(f"copy r to '{path}' (format parquet)")
    connection.execute(f"create view rows as select * from '{Path(path)}'")
    return connection


def found(connection: duckdb.DuckDBPyConnection, expression: Expression, dialect) -> set[int]:  # type: ignore[no-untyped-def]
    condition = where(expression, dialect)
    query = f"select n from rows where {condition.sql}"
    return {n for (n,) in connection.execute(query, list(condition.parameters)).fetchall()}


@pytest.mark.parametrize("dialect", [SERIES, SESSIONS], ids=["series", "sessions"])
def test_it_selects_what_a_naive_reading_selects(parquet: duckdb.DuckDBPyConnection, dialect) -> None:  # type: ignore[no-untyped-def]
    @settings(max_examples=300, deadline=None)
    @given(conversation_expressions)
    def check(expression: Expression) -> None:
        expected = {n for n, row in enumerate(ROWS) if conversations.matches(expression, row, dialect.client_ports)}
        assert found(parquet, expression, dialect) == expected

    check()


def test_it_finds_a_host_as_client_and_as_server(parquet: duckdb.DuckDBPyConnection) -> None:
    either = found(parquet, parse("src host 10.0.0.1"), SERIES)
    assert either == found(parquet, parse("host 10.0.0.1"), SERIES)
    both_roles = {n for n, row in enumerate(ROWS) if "10.0.0.1" in (str(row.client), str(row.server))}
    assert either == both_roles
    assert found(parquet, parse("client host 10.0.0.1"), SERIES) < either


def test_it_finds_a_pair_in_both_directions(parquet: duckdb.DuckDBPyConnection) -> None:
    pair = {"10.0.0.1", "192.168.3.4"}
    expected = {n for n, row in enumerate(ROWS) if {str(row.client), str(row.server)} == pair}
    assert expected
    assert found(parquet, parse("src host 10.0.0.1 and dst host 192.168.3.4"), SERIES) == expected


def test_it_never_yields_null(parquet: duckdb.DuckDBPyConnection) -> None:
    for text in ("vlan 5", "not vlan 5", "vni 7", "not vni 7", "not (vlan and vni 0)"):
        condition = where(parse(text), SERIES)
        nulls = parquet.execute(
            f"select count(*) from rows where ({condition.sql}) is null", list(condition.parameters)
        ).fetchone()
        assert nulls == (0,)


@pytest.mark.parametrize(
    ("text", "column", "words"),
    [
        ("tcp and tcp[13] & 2 != 0", 9, "bytes or the length"),
        ("net 10 and less 64", 12, "bytes or the length"),
        ("ether host 01:02:03:04:05:06", 12, "Ethernet addresses"),
        ("ether multicast", 1, "Ethernet addresses"),
        ("arp", 1, "frame around IP"),
        ("port 80 and mpls 5", 13, "frame around IP"),
        ("geneve 7", 1, "vni N"),
        ("arp host 10.0.0.1", 10, "ARP"),
        ("net 10.0.0.1 mask 255.0.0.255", 5, "mask with holes"),
        ("tcp and client port 50000", 21, "client's port"),
        ("inbound", 1, "frame around IP"),
    ],
)
def test_it_refuses_what_needs_the_packet(text: str, column: int, words: str) -> None:
    with pytest.raises(FilterRefused, match=words) as caught:
        where(parse(text), SERIES, text)
    assert caught.value.column == column
    assert caught.value.text == text


@pytest.mark.parametrize(
    ("keys", "text", "sql", "parameters"),
    [
        (("client_ip",), "client host 10.0.0.1", "(client_ip IS NOT NULL AND client_ip = %s::inet)", ("10.0.0.1",)),
        (("client_ip",), "client net 10/8", "(client_ip IS NOT NULL AND client_ip <<= %s::inet)", ("10.0.0.0/8",)),
        (("server_net",), "server net 10/8", "(server_net IS NOT NULL AND server_net <<= %s::inet)", ("10.0.0.0/8",)),
        (("server_port",), "port 443", "(server_port IS NOT NULL AND server_port = %s)", (443,)),
        (("protocol",), "tcp", "(protocol IS NOT NULL AND protocol = %s)", (6,)),
        (("vlan",), "not vlan", "NOT (vlan IS NOT NULL)", ()),
        (("vni",), "vni 0", "(vni IS NOT NULL AND vni = %s)", (0,)),
        (("host",), "host ::1", "((host IS NOT NULL AND host = %s::inet) OR (host IS NOT NULL AND host = %s::inet))",
         ("::1", "::1")),
        (("server_ip",), "ip6", "(server_ip IS NOT NULL AND family(server_ip) = 6)", ()),
        ((), "", "TRUE", ()),
    ],
)  # fmt: skip
def test_it_writes_samples_with_their_keys(
    keys: tuple[str, ...], text: str, sql: str, parameters: tuple[object, ...]
) -> None:
    condition = where(parse(text), samples(keys, "web"))
    assert (condition.sql, condition.parameters) == (sql, parameters)


@pytest.mark.parametrize(
    ("keys", "text", "lacking"),
    [
        (("client_ip",), "port 443", "server_port"),
        (("server_port",), "tcp port 443", "protocol"),
        (("server_ip",), "host 10.0.0.1", "client_ip"),
        (("client_net",), "client host 10.0.0.1", "client_ip"),
        (("client_net",), "client net 10.0.0.0/25", "client_ip"),
        (("host",), "host 10.0.0.1 and host 10.0.0.2", "client_ip and server_ip"),
        (("host",), "not host 10.0.0.1", "client_ip and server_ip"),
        (("host",), "client host 10.0.0.1", "client_ip and server_ip"),
        (("vni",), "vlan 5", "vlan"),
        (("server_port",), "ip", "client_ip"),
    ],
)
def test_it_says_which_key_a_monitor_lacks_and_what_to_do(keys: tuple[str, ...], text: str, lacking: str) -> None:
    with pytest.raises(FilterRefused) as caught:
        where(parse(text), samples(keys, "web"))
    assert f"monitor web does not keep {lacking}; group by it, or open this filter on the nodes" in str(caught.value)


def test_it_names_columns_by_the_tables_alias() -> None:
    assert where(parse("tcp"), samples(["protocol"], "web", alias="g")).sql == (
        "(g.protocol IS NOT NULL AND g.protocol = %s)"
    )
