"""Filter -> mask over columns of conversations in memory (NumPy): the node's recent seconds, no files and no SQL.

Addresses are two int64 bit patterns of 128 bits, IPv4 as ::ffff:a.b.c.d; `vni` and `vlan` are -1 where there is none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wire.filters.conversation import (
    IPV4_MAPPED,
    All,
    Condition,
    InNetwork,
    Negated,
    PortBetween,
    ProtocolIn,
    Some,
    Test,
    VersionIs,
    VlanIs,
    VniIs,
    conditions,
)
from wire.filters.error import FilterRefused
from wire.filters.terms import Everything, Expression

Columns = Mapping[str, NDArray[Any]] | NDArray[Any]
Mask = NDArray[np.bool_]

LOW_64 = (1 << 64) - 1


def mask(expression: Expression, columns: Columns, text: str = "") -> Mask:
    """Which rows match. Rows of the folded rest (`is_other`) have no keys and match the empty filter only."""
    names = _names(columns)
    rows = len(columns["protocol"])
    if isinstance(expression, Everything):
        return np.ones(rows, dtype=np.bool_)
    try:
        condition = conditions(expression, client_ports="client_port" in names)
    except FilterRefused as refusal:
        raise refusal.with_text(text or str(expression)) from None
    found = _evaluate(condition, columns, rows)
    if "is_other" in names:
        found &= columns["is_other"] == 0
    return found


def _names(columns: Columns) -> tuple[str, ...]:
    if isinstance(columns, np.ndarray):
        return columns.dtype.names or ()
    return tuple(columns)


def _evaluate(condition: Condition, columns: Columns, rows: int) -> Mask:
    match condition:
        case All(parts):
            found = np.ones(rows, dtype=np.bool_)
            for part in parts:
                found &= _evaluate(part, columns, rows)
            return found
        case Some(parts):
            found = np.zeros(rows, dtype=np.bool_)
            for part in parts:
                found |= _evaluate(part, columns, rows)
            return found
        case Negated(part):
            return ~_evaluate(part, columns, rows)
        case _:
            return _test(condition, columns)


def _test(test: Test, columns: Columns) -> Mask:
    match test:
        case InNetwork(side, value, prefix):
            return _in_network(columns[f"{side}_hi"], columns[f"{side}_lo"], value, prefix)
        case VersionIs(version):
            mapped = _in_network(columns["client_hi"], columns["client_lo"], IPV4_MAPPED, 96)
            return mapped if version == 4 else ~mapped
        case PortBetween(side, low, high):
            ports = columns[f"{side}_port"]
            return np.asarray((ports >= low) & (ports <= high))
        case ProtocolIn(numbers):
            return np.isin(columns["protocol"], numbers)
        case VniIs(number):
            return np.asarray(columns["vni"] == number)
        case VlanIs(number):
            return np.asarray(columns["vlan"] >= 0 if number is None else columns["vlan"] == number)


def _in_network(high: NDArray[np.int64], low: NDArray[np.int64], value: int, prefix: int) -> Mask:
    ones = ((1 << prefix) - 1) << (128 - prefix)
    found = np.ones(len(high), dtype=np.bool_)
    if prefix > 64:
        found &= (low & _signed(ones & LOW_64)) == _signed(value & LOW_64)
    if prefix > 0:
        found &= (high & _signed(ones >> 64)) == _signed(value >> 64)
    return found


def _signed(bits: int) -> np.int64:
    """64 bits as the int64 that has the same pattern."""
    return np.int64(bits - (1 << 64) if bits >> 63 else bits)
