"""The conversations of the last minutes, each with a number: filters and groupings are worked out once for each.

A filter is a flag per conversation, a grouping a group number per conversation; both are extended as new conversations
come. A second's rows then need no addresses, only the number of their conversation.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cstor.store import address
from cstor.store.numbering import Numbering
from cstor.store.query import SeriesQuery, has_filter, key_width
from wire.filters.columns import mask
from wire.filters.grammar import Expression

Ints = NDArray[np.int64]
Flags = NDArray[np.uint8]
Numbers = NDArray[np.int32]

MAX_FILTERS_BYTES = 64 << 20
MAX_GROUPINGS_BYTES = 128 << 20
_WIDTH = 6


def _matrix(keys: np.ndarray) -> Ints:
    """CONVERSATION keys as six integers."""
    out = np.empty((len(keys), _WIDTH), np.int64)
    for column, name in enumerate(("client_hi", "client_lo", "server_hi", "server_lo")):
        out[:, column] = keys[name]
    out[:, 4] = (keys["server_port"].astype(np.int64) << 32) | (keys["protocol"].astype(np.int64) << 16)
    out[:, 4] |= (keys["is_copy"].astype(np.int64) << 1) | keys["is_other"]
    out[:, 5] = (keys["vni"].astype(np.int64) << 32) | (keys["vlan"].astype(np.int64) + 1)
    return out


def _columns(rows: Ints) -> dict[str, NDArray[np.int64]]:
    """The way back: key columns by name."""
    ends = {name: rows[:, at] for at, name in enumerate(("client_hi", "client_lo", "server_hi", "server_lo"))}
    ports, tags = rows[:, 4], rows[:, 5]
    return ends | {
        "server_port": ports >> 32,
        "protocol": (ports >> 16) & 0xFFFF,
        "is_copy": (ports >> 1) & 1,
        "is_other": ports & 1,
        "vni": tags >> 32,
        "vlan": (tags & 0xFFFFFFFF) - 1,
    }


class Grouping(NamedTuple):
    """Group numbers by conversation, one array or, for `host`, one per end; -1 for the folded rest."""

    ends: tuple[Numbers, ...]
    keys: Ints  # of each group


class _Growing:
    """A value per conversation, extended as they come."""

    def __init__(self, dtype: type) -> None:
        self.values: NDArray[Any] = np.zeros(0, dtype)
        self.done = 0

    def room(self, count: int) -> None:
        if count > len(self.values):
            values = np.zeros(max(count, 2 * len(self.values)), self.values.dtype)
            values[: self.done] = self.values[: self.done]
            self.values = values


class _Groups:
    """A grouping as it grows."""

    def __init__(self, by: tuple[str, ...]) -> None:
        self.by = by
        self.numbering = Numbering(sum(map(key_width, by)))
        self.ends = [_Growing(np.int32) for _ in range(2 if "host" in by else 1)]

    @property
    def bytes(self) -> int:
        return self.numbering.bytes + sum(end.values.nbytes for end in self.ends)

    def extend(self, rows: Ints) -> None:
        start = self.ends[0].done
        columns = _columns(rows[start:])
        for number, end in enumerate(self.ends):
            end.room(len(rows))
            numbers = self.numbering.add(_key_matrix(self.by, columns, "server" if number else "client"))
            end.values[start : len(rows)] = np.where(columns["is_other"] != 0, -1, numbers)
            end.done = len(rows)


def _key_matrix(by: tuple[str, ...], columns: dict[str, Ints], host: str) -> Ints:
    out: list[Ints] = []
    for key in by:
        if key == "host":
            out += (columns[f"{host}_hi"], columns[f"{host}_lo"])
        elif key.endswith("_ip"):
            out += (columns[f"{key[:-3]}_hi"], columns[f"{key[:-3]}_lo"])
        elif key.endswith("_net"):
            out += address.net_of(columns[f"{key[:-4]}_hi"], columns[f"{key[:-4]}_lo"])
        else:
            out.append(columns[key])
    return np.stack(out, axis=1)


class Directory:
    """Conversations by number. Its own lock guards what grows; what it hands out may be read without."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._numbering = Numbering(_WIDTH)
        self._filters: OrderedDict[tuple[Expression, bool], _Growing] = OrderedDict()
        self._groupings: OrderedDict[tuple[str, ...], _Groups] = OrderedDict()

    def __len__(self) -> int:
        return self._numbering.count

    def number(self, keys: np.ndarray) -> Numbers:
        """The conversations of CONVERSATION keys."""
        with self._lock:
            return self._numbering.add(_matrix(keys))

    def keys_of(self, ids: Numbers) -> Ints:
        """Keys of conversations, for another directory."""
        return self._numbering.rows[ids]

    def number_matrix(self, rows: Ints) -> Numbers:
        """The conversations of keys that another directory handed out."""
        with self._lock:
            return self._numbering.add(rows)

    def flags(self, query: SeriesQuery) -> Flags:
        """1 for each conversation that the question is about; FilterError where they cannot tell."""
        key = (query.filter, query.copies)
        with self._lock:
            found = self._filters.pop(key, None) or _Growing(np.uint8)
            count = self._numbering.count
            if found.done < count:
                columns = _columns(self._numbering.rows[found.done : count])
                found.room(count)
                found.values[found.done : count] = _matches(query, columns)
                found.done = count
                _shrink(self._filters, MAX_FILTERS_BYTES, lambda held: held.values.nbytes)
            self._filters[key] = found
            return found.values[:count]

    def grouping(self, by: tuple[str, ...]) -> Grouping:
        """Group numbers of each conversation; without keys all are one group."""
        if not by:
            return Grouping((np.zeros(len(self), np.int32),), np.zeros((1, 0), np.int64))
        with self._lock:
            found = self._groupings.pop(by, None) or _Groups(by)
            count = self._numbering.count
            if found.ends[0].done < count:
                found.extend(self._numbering.rows[:count])
                _shrink(self._groupings, MAX_GROUPINGS_BYTES, lambda held: held.bytes)
            self._groupings[by] = found
            return Grouping(tuple(end.values[:count] for end in found.ends), found.numbering.rows)


def _matches(query: SeriesQuery, columns: dict[str, Ints]) -> NDArray[np.bool_]:
    found = mask(query.filter, columns, query.text)
    if not query.copies:
        found &= columns["is_copy"] == 0
    if has_filter(query):
        found &= columns["is_other"] == 0
    return found


def _shrink(held: OrderedDict[Any, Any], limit: int, size_of: Callable[[Any], int]) -> None:
    """Forget what was used least recently beyond a number of bytes."""
    total = sum(size_of(one) for one in held.values())
    while total > limit and held:
        _, gone = held.popitem(last=False)
        total -= size_of(gone)
