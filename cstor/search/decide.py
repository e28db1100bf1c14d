"""A filter over the flows of an index: for each flow and direction yes, no, or maybe (then the packet has to be seen).

The answer must be what the packet filter (wire/filters/packets.py) would say of every packet of the flow. Terms that
need the packet are maybe, and so is at best whatever they stand in: a BPF program that reads beyond a packet's end
rejects it as a whole, whatever else it says. Of `client` and `server` the index knows the flow, not the side.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cstor.store.index import ONE_TUNNEL, PLAIN, SegmentIndex, Summary
from wire.filters.conversation import PORT_PROTOCOLS, PROTOCOL_NUMBERS
from wire.filters.packets import PacketFilter
from wire.filters.terms import Address, And, Everything, Expression, Not, Or, Port, Proto, Protocol, Tag, Vni, leaves

NO, MAYBE, YES = 0, 1, 2
LOW_64 = (1 << 64) - 1
SURE_PROTOCOLS = {"tcp": 0, "udp": 0, "sctp": 0, "icmp": 4, "icmp6": 6}  # and the IP version that the word implies
States = NDArray[np.uint8]


def states_of(index: SegmentIndex, chosen: PacketFilter) -> States:
    """State by number: 2 x flow + direction; the last one is that of packets without a flow."""
    parts = [_states(_Flows(flows, version), chosen) for flows, version in ((index.flows4, 4), (index.flows6, 6))]
    return np.concatenate([*parts, np.array([MAYBE], np.uint8)])


def _states(flows: _Flows, chosen: PacketFilter) -> States:
    if not flows.count:
        return np.zeros(0, np.uint8)
    found, _ = _decide(chosen.expression, flows)
    if chosen.outer:
        if any(isinstance(leaf, Tag) for leaf in leaves(chosen.expression)):
            found[:] = MAYBE  # in libpcap a tag moves what follows it
        found[np.repeat(flows.rows["bits"] & PLAIN == 0, 2)] = MAYBE
    if chosen.needs_roles:
        # Roles are found from a flow's packets in their order: all of them are looked at, in both directions.
        either = np.maximum(found[0::2], found[1::2])
        found = np.repeat(np.minimum(either, MAYBE), 2)
    return found


class _Flows:
    """Flows as a table of directions: row 2 x flow is sent by a, row 2 x flow + 1 by b."""

    def __init__(self, rows: np.ndarray, version: int) -> None:
        self.rows = rows
        self.count = 2 * len(rows)
        self.version = version

    def both(self, column: np.ndarray) -> np.ndarray:
        return np.repeat(column, 2)

    def sent(self, a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What holds for the source and for the destination, from what holds for a and for b."""
        out = np.empty((2, self.count), np.bool_)
        out[0, 0::2], out[0, 1::2], out[1, 0::2], out[1, 1::2] = a, b, b, a
        return out[0], out[1]


def _decide(expression: Expression, flows: _Flows) -> tuple[States, bool]:
    """States, and whether a term in there needs the packet."""
    match expression:
        case Everything():
            return np.full(flows.count, YES, np.uint8), False
        case And(parts) | Or(parts):
            decided = [_decide(part, flows) for part in parts]
            reduce = np.minimum if isinstance(expression, And) else np.maximum
            return _clipped(reduce.reduce([states for states, _ in decided]), any(unsure for _, unsure in decided))
        case Not(part):
            states, is_unsure = _decide(part, flows)
            return _clipped((YES - states).astype(np.uint8), is_unsure)
        case _:
            known = _leaf(expression, flows)
            if known is None:
                return np.full(flows.count, MAYBE, np.uint8), True
            return known, False


def _clipped(states: States, is_unsure: bool) -> tuple[States, bool]:
    return (np.minimum(states, MAYBE) if is_unsure else states), is_unsure


def _leaf(term: Any, flows: _Flows) -> States | None:
    match term:
        case Address(layer, _, version) if layer in ("", "ip", "ip6"):
            if version != flows.version or (layer and layer != ("ip" if flows.version == 4 else "ip6")):
                return _known(np.zeros(flows.count, np.bool_))
            return _directed(term.direction, *flows.sent(*(_in_net(flows.rows, side, term) for side in "ab")))
        case Port(layer, direction, low, high):
            ends = [(flows.rows[f"{side}_port"] >= low) & (flows.rows[f"{side}_port"] <= high) for side in "ab"]
            numbers = [PROTOCOL_NUMBERS[layer]] if layer else PORT_PROTOCOLS
            has_ports = flows.both(np.isin(flows.rows["protocol"], numbers))
            return np.where(has_ports, _directed(direction, *flows.sent(*ends)), NO).astype(np.uint8)
        case Protocol(name) if name in SURE_PROTOCOLS:
            is_version = SURE_PROTOCOLS[name] in (0, flows.version)
            return _known(flows.both((flows.rows["protocol"] == PROTOCOL_NUMBERS[name]) & is_version))
        case Protocol(name) if name in ("ip", "ip6"):
            return _known(np.full(flows.count, flows.version == (4 if name == "ip" else 6)))
        case Proto(layer, number, chain) if not chain and layer in ("", "ip", "ip6"):
            is_version = layer in ("", "ip" if flows.version == 4 else "ip6")
            return _known(flows.both((flows.rows["protocol"] == number) & is_version))
        case Vni(number):
            vni, bits = flows.rows["vni"], flows.rows["bits"]
            other = np.where((vni < 0) | (bits & ONE_TUNNEL > 0), NO, MAYBE)
            return flows.both(np.where(vni == number, YES, other)).astype(np.uint8)
        case _:
            return None


def _known(is_so: np.ndarray) -> States:
    return np.where(is_so, YES, NO).astype(np.uint8)


def _directed(direction: str, source: np.ndarray, destination: np.ndarray) -> States:
    match direction:
        case "src":
            return _known(source)
        case "dst":
            return _known(destination)
        case "both":
            return _known(source & destination)
        case "either":
            return _known(source | destination)
        case _:  # client, server
            return np.minimum(_known(source | destination), MAYBE)


def _in_net(rows: np.ndarray, side: str, term: Address) -> np.ndarray:
    if term.version == 4:
        return (rows[side] & np.uint32(term.mask)) == np.uint32(term.value)
    high, low = rows[f"{side}_hi"].view(np.uint64), rows[f"{side}_lo"].view(np.uint64)
    is_high = high & np.uint64(term.mask >> 64) == np.uint64(term.value >> 64)
    return is_high & (low & np.uint64(term.mask & LOW_64) == np.uint64(term.value & LOW_64))


def may_hold(expression: Expression, summary: Summary) -> bool:
    """False if no packet with a flow can match: by what occurs in the segment at all."""
    match expression:
        case And(parts):
            return all(may_hold(part, summary) for part in parts)
        case Or(parts):
            return any(may_hold(part, summary) for part in parts)
        case Address(layer, _, 4, value, mask) if layer in ("", "ip"):
            if expression.prefix is None:
                return True
            first = int(np.searchsorted(summary.v4, np.uint32(value)))
            return first < len(summary.v4) and int(summary.v4[first]) <= value | (mask ^ 0xFFFFFFFF)
        case Address(layer, _, 6, value) if layer in ("", "ip6") and expression.prefix == 128:
            wanted = np.array([value.to_bytes(16, "big")], "S16")
            return bool(np.isin(wanted, summary.v6)[0])
        case Port(_, _, low, high) if low == high:
            return bool(summary.ports[low >> 3] >> (low & 7) & 1)
        case Protocol(name) if name in PROTOCOL_NUMBERS:
            return _has_protocol(summary, PROTOCOL_NUMBERS[name])
        case _:
            return True


def _has_protocol(summary: Summary, number: int) -> bool:
    return bool(summary.protocols[number >> 3] >> (number & 7) & 1)
