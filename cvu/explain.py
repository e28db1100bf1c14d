"""`cvu explain`: what a configuration would do with the packets of a capture, without sending anything.

A capture of the mirror socket's interface and one of the mirrored frames themselves are both taken: rules speak of the
innermost packet.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import IPv6Address
from pathlib import Path

import numpy as np

from cvu.balance import NO_RULE
from cvu.config import Config
from cvu.rules import Rules
from wire.packets.batch import MAX_PACKETS
from wire.packets.decode import decode_batch
from wire.packets.fragments import new_fragment_table
from wire.packets.layout import new_error_counters, new_packets
from wire.packets.pcap import open_capture

PROTOCOLS = {1: "icmp", 6: "tcp", 17: "udp", 58: "icmp6", 132: "sctp"}


@dataclass
class Explanation:
    """What was found so far: packets and bytes by rule and by output."""

    rules: list[str]
    outputs: list[str]
    packets: int = 0
    unmatched: int = 0
    by_rule: np.ndarray = field(init=False)
    by_output: np.ndarray = field(init=False)
    bytes_by_output: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        self.by_rule = np.zeros(len(self.rules), np.int64)
        self.by_output = np.zeros(len(self.outputs), np.int64)
        self.bytes_by_output = np.zeros(len(self.outputs), np.int64)

    @property
    def never_reached(self) -> list[str]:
        return [name for name, count in zip(self.rules, self.by_rule, strict=True) if count == 0]

    def summary(self) -> list[str]:
        """Lines for people: shares of rules and outputs, rules that nothing reached."""
        lines = [f"{self.packets} packets"]
        for name, count in zip(self.rules, self.by_rule.tolist(), strict=True):
            lines.append(f"rule {name}: {count} packets, {self._share(count)}")
        if self.unmatched:
            lines.append(f"no rule: {self.unmatched} packets, {self._share(self.unmatched)}")
        for name, count, octets in zip(self.outputs, self.by_output, self.bytes_by_output, strict=True):
            lines.append(f"output {name}: {count} packets, {self._share(count)}, {octets} bytes")
        lines += [f"rule {name} was never reached" for name in self.never_reached]
        return lines

    def _share(self, count: int) -> str:
        return f"{100 * count / self.packets:.1f} %" if self.packets else "0 %"


def explain(config: Config, capture: Path, explanation: Explanation, is_detailed: bool = True) -> Iterator[str]:
    """Fill `explanation`; a line for each packet if asked for in detail. CaptureError for a broken capture."""
    rules = Rules(config, MAX_PACKETS)
    packets, errors, fragments = new_packets(MAX_PACKETS), new_error_counters(), new_fragment_table()
    with open_capture(capture) as reader:
        for batch in reader:
            count = decode_batch(batch, packets, errors, fragments)
            found = packets[:count]
            rule_of = rules.decide(batch, found)
            goes = rules.spread(found, rule_of)[: len(explanation.outputs)]
            if is_detailed:
                yield from _lines(explanation, found, rule_of, goes)
            explanation.packets += count
            explanation.unmatched += int(np.count_nonzero(rule_of == NO_RULE))
            explanation.by_rule += np.bincount(rule_of + 1, minlength=len(explanation.rules) + 1)[1:]
            explanation.by_output += goes.sum(axis=1)
            explanation.bytes_by_output += goes @ found["wire_length"].astype(np.int64)


def new_explanation(config: Config) -> Explanation:
    return Explanation([rule.name for rule in config.rules], [output.name for output in config.outputs])


def _lines(explanation: Explanation, packets: np.ndarray, rule_of: np.ndarray, goes: np.ndarray) -> Iterator[str]:
    for index, rule in enumerate(rule_of.tolist()):
        outputs = [explanation.outputs[place] for place in np.flatnonzero(goes[:, index])]
        name = "no rule" if rule == NO_RULE else explanation.rules[rule]
        fate = ", ".join(outputs) or "dropped"
        yield f"{explanation.packets + index + 1}\t{_words(packets[index])}\t{name}\t{fate}"


def _words(row: np.void) -> str:
    """A packet in words: its ends and its protocol."""
    if row["version"] == 0:
        return "not IP"
    protocol = PROTOCOLS.get(int(row["protocol"]), f"protocol {row['protocol']}")
    source = _end(row["src_hi"], row["src_lo"], row["src_port"])
    target = _end(row["dst_hi"], row["dst_lo"], row["dst_port"])
    vni = f" vni {row['vni']}" if row["vni"] >= 0 else ""
    return f"{source} > {target} {protocol}{vni}"


def _end(high: np.int64, low: np.int64, port: np.int32) -> str:
    address = IPv6Address((int(high) & (1 << 64) - 1) << 64 | int(low) & (1 << 64) - 1)
    if address.ipv4_mapped:
        return f"{address.ipv4_mapped}:{port}" if port else str(address.ipv4_mapped)
    return f"[{address}]:{port}" if port else str(address)
