"""The rules of a configuration, compiled: which rule takes a packet, and which outputs it goes to.

Rules are tried in order, the first whose filter matches wins. A filter speaks of the innermost packet, as everywhere.
"""

from __future__ import annotations

import numpy as np

from cvu.address import ConfigError
from cvu.balance import NO_RULE, spread
from cvu.config import BALANCE, Config
from wire.filters.error import FilterError
from wire.filters.grammar import parse
from wire.filters.packets import PacketFilter
from wire.packets.batch import PacketBatch
from wire.packets.layout import LINK_ETHERNET


class Rules:
    """Decides for batches of decoded packets; the arrays it answers are valid until the next batch."""

    def __init__(self, config: Config, capacity: int) -> None:
        self.names = [rule.name for rule in config.rules]
        self._filters = [_filter(rule.name, rule.filter) for rule in config.rules]
        places = {output.name: place for place, output in enumerate(config.outputs)}
        table = [places[name] for rule in config.rules for name in rule.outputs]
        count = [len(rule.outputs) for rule in config.rules]
        self._is_balanced = np.array([rule.action == BALANCE for rule in config.rules], np.bool_)
        self._first = np.cumsum([0, *count[:-1]], dtype=np.int64)
        self._count = np.array(count, np.int64)
        self._table = np.array([*table, 0], np.int64)
        self._rule_of = np.empty(capacity, np.int64)
        self._goes = np.empty((max(1, len(config.outputs)), capacity), np.bool_)

    def decide(self, batch: PacketBatch, packets: np.ndarray) -> np.ndarray:
        """The number of the rule that takes each packet, NO_RULE where none does."""
        rule_of = self._rule_of[: batch.packets]
        rule_of[:] = NO_RULE
        for number, packet_filter in enumerate(self._filters):
            if packet_filter.matches_all:
                rule_of[rule_of == NO_RULE] = number
                break
            rule_of[packet_filter.mask(batch, packets) & (rule_of == NO_RULE)] = number
        return rule_of

    def spread(self, packets: np.ndarray, rule_of: np.ndarray) -> np.ndarray:
        """Which outputs (rows) each packet (columns) goes to."""
        goes = self._goes[:, : len(rule_of)]
        goes[:] = False
        spread(packets, rule_of, self._is_balanced, self._first, self._count, self._table, goes)
        return goes


def _filter(rule: str, text: str) -> PacketFilter:
    try:
        packet_filter = PacketFilter(parse(text), text=text)
        if packet_filter.needs_roles:
            raise ConfigError(f"[[rule]] {rule}: the broker keeps no flows, so it cannot tell 'client' from 'server'")
        packet_filter.check(LINK_ETHERNET)
    except FilterError as error:
        raise ConfigError(f"[[rule]] {rule}: {error}") from None
    return packet_filter
