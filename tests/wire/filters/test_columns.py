"""Filters as masks over columns in memory, against a naive reading."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings

from tests.wire.filters import conversations
from tests.wire.filters.expressions import conversation_expressions
from wire.filters.columns import mask
from wire.filters.grammar import FilterRefused, parse
from wire.filters.terms import Expression

ROWS = conversations.some(300, seed=5)


def _columns(client_ports: bool) -> dict[str, np.ndarray]:
    halves = {
        side: np.array([np.frombuffer(conversations.mapped(getattr(row, side)), ">i8") for row in ROWS], np.int64)
        for side in ("client", "server")
    }
    columns = {f"{side}_{half}": halves[side][:, i] for side in halves for i, half in enumerate(("hi", "lo"))}
    columns |= {
        "server_port": np.array([row.server_port for row in ROWS], np.int32),
        "protocol": np.array([row.protocol for row in ROWS], np.int16),
        "vni": np.array([-1 if row.vni is None else row.vni for row in ROWS], np.int32),
        "vlan": np.array([-1 if row.vlan is None else row.vlan for row in ROWS], np.int16),
    }
    if client_ports:
        columns["client_port"] = np.array([row.client_port for row in ROWS], np.int32)
    return columns


@pytest.mark.parametrize("client_ports", [False, True], ids=["series", "sessions"])
def test_it_selects_what_a_naive_reading_selects(client_ports: bool) -> None:
    columns = _columns(client_ports)

    @settings(max_examples=300, deadline=None)
    @given(conversation_expressions)
    def check(expression: Expression) -> None:
        expected = [conversations.matches(expression, row, client_ports) for row in ROWS]
        assert mask(expression, columns).tolist() == expected

    check()


def test_it_takes_a_structured_array_and_leaves_the_folded_rest_to_the_empty_filter() -> None:
    fields = [(name, "i8") for name in ("client_hi", "client_lo", "server_hi", "server_lo")]
    fields += [("server_port", "i4"), ("protocol", "i2"), ("vni", "i4"), ("vlan", "i2"), ("is_other", "u1")]
    rows = np.zeros(2, fields)
    rows["protocol"] = (6, 0)
    rows["is_other"] = (0, 1)
    assert mask(parse("tcp"), rows).tolist() == [True, False]
    assert mask(parse("not udp"), rows).tolist() == [True, False]
    assert mask(parse(""), rows).tolist() == [True, True]


def test_it_points_into_the_text_when_it_refuses() -> None:
    with pytest.raises(FilterRefused) as caught:
        mask(parse("tcp and  len > 5"), _columns(False), "tcp and  len > 5")
    assert caught.value.pointer() == "tcp and  len > 5\n         ^^^^^^^"
