"""The broker's counters and their text for Prometheus (exposition format 0.0.4)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np


@dataclass
class Stats:
    """Written by the loop, read by the HTTP thread: each value is replaced whole, so no lock is needed."""

    rules: list[str]
    outputs: list[str]
    received_packets: int = 0
    received_bytes: int = 0
    dropped_by_kernel: int = 0
    truncated: int = 0
    not_mirrored: int = 0
    unmatched_packets: int = 0
    alive_at: float = 0.0
    malformed: Mapping[str, int] = field(default_factory=dict)
    rule_packets: np.ndarray = field(init=False)
    output_packets: list[int] = field(init=False)
    output_bytes: list[int] = field(init=False)
    output_errors: list[int] = field(init=False)

    def __post_init__(self) -> None:
        self.rule_packets = np.zeros(len(self.rules), np.int64)
        self.output_packets = [0] * len(self.outputs)
        self.output_bytes = [0] * len(self.outputs)
        self.output_errors = [0] * len(self.outputs)

    def prometheus(self) -> str:
        """Every counter, with what it counts."""
        single = (
            ("received_packets", "Datagrams received on the mirror socket.", self.received_packets),
            ("received_bytes", "Bytes of these datagrams.", self.received_bytes),
            ("dropped_by_kernel", "Datagrams lost because the socket's buffer was full.", self.dropped_by_kernel),
            ("truncated", "Datagrams longer than the receive buffer.", self.truncated),
            ("not_mirrored", "Datagrams that are neither VXLAN nor GENEVE.", self.not_mirrored),
            ("unmatched_packets", "Packets that no rule takes.", self.unmatched_packets),
        )
        lines = [line for name, text, value in single for line in _metric(name, text, [("", value)])]
        by_rule = zip(self.rules, self.rule_packets.tolist(), strict=True)
        lines += _metric("malformed", "Malformed frames by reason.", _labelled("reason", self.malformed.items()))
        lines += _metric("rule_packets", "Packets that a rule takes.", _labelled("rule", by_rule))
        for name, text, values in (
            ("output_packets", "Packets sent to an output.", self.output_packets),
            ("output_bytes", "Bytes of mirrored frames sent to an output.", self.output_bytes),
            ("output_errors", "Packets that an output did not take, and refusals.", self.output_errors),
        ):
            lines += _metric(name, text, _labelled("output", zip(self.outputs, values, strict=True)))
        return "\n".join(lines) + "\n"


def _labelled(label: str, values: Iterable[tuple[str, int]]) -> list[tuple[str, int]]:
    return [(f'{{{label}="{_escaped(name)}"}}', value) for name, value in values]


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _metric(name: str, text: str, values: list[tuple[str, int]]) -> list[str]:
    full = f"cvu_{name}_total"
    return [f"# HELP {full} {text}", f"# TYPE {full} counter", *(f"{full}{labels} {value}" for labels, value in values)]
