"""tshark's and tcptrace's side: the oracles beside the captures, or tshark itself on a capture that has none.

What both tools say is brought into one form: streams, with the packets of each end counted under the tool's own names.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from tests.conformance.ours import End, Pair

FLAGS = ("retransmission", "fast_retransmission", "spurious_retransmission", "out_of_order", "duplicate_ack")
FLAGS += ("lost_segment", "ack_lost_segment", "zero_window", "zero_window_probe", "window_full", "keep_alive")
HEAD = ("frame.time_epoch", "ip.src", "ip.dst", "ipv6.src", "ipv6.dst", "tcp.stream", "tcp.srcport", "tcp.dstport")
HEAD += ("tcp.len", "tcp.flags", "tcp.analysis.initial_rtt", "tcp.analysis.ack_rtt", "frame.protocols", "frame.number")
FIN, SYN, RST, ACK = 1, 2, 4, 16


@dataclass
class Stream:
    """One stream (tshark) or connection (tcptrace) as the tool tells it; counters by (sender, tool's name)."""

    number: int
    ends: tuple[End, End]
    first_ns: int
    counts: Counter[tuple[End, str]] = field(default_factory=Counter)
    texts: dict[tuple[End, str], Any] = field(default_factory=dict)  # what is no count
    initial_rtt_ns: int | None = None

    @property
    def pair(self) -> Pair:
        return frozenset(self.ends)


@dataclass
class Answers:
    """All streams that a tool listed of a capture."""

    streams: list[Stream]
    is_complete: bool  # False: only the largest are listed
    totals: dict[str, Any]


def end_of(text: str) -> End:
    """An end as the oracles write it: address|port."""
    host, _, port = text.rpartition("|")
    return str(ip_address(host)), int(port)


def nanoseconds(seconds: str) -> int:
    return int(Decimal(seconds) * 1_000_000_000)


def tshark_oracle(captures: Path, name: str) -> Answers:
    """tshark's answers as they were written down."""
    told = json.loads((captures / "oracle" / f"{name}.tshark.json").read_text())
    streams = []
    for one in told["streams"]:
        ends = (end_of(one["a"]), end_of(one["b"]))
        stream = Stream(one["stream"], ends, nanoseconds(one["first_time"]))
        for way, end in zip(("ab", "ba"), ends, strict=True):
            rtt = one[way].pop("ack_rtt", None)
            stream.counts.update({(end, key): value for key, value in one[way].items()})
            if rtt:
                stream.texts[end, "ack_rtt"] = rtt
        if one["initial_rtt"] is not None:
            stream.initial_rtt_ns = round(one["initial_rtt"] * 1e9)
        streams.append(stream)
    return Answers(streams, told["streams_listed"] == told["streams_total"], told["totals"])


def tcptrace_oracle(captures: Path, name: str) -> Answers | None:
    """tcptrace's answers; None where it could not read the capture."""
    told = json.loads((captures / "oracle" / f"{name}.tcptrace.json").read_text())
    if not told["readable"]:
        return None
    streams = []
    for number, one in enumerate(told["connections"]):
        ends = (end_of(one["a"]), end_of(one["b"]))
        stream = Stream(number, ends, nanoseconds(one["first_packet"]))
        for way, end in zip(("a2b", "b2a"), ends, strict=True):
            for key, value in one[way].items():
                if isinstance(value, int):
                    stream.counts[end, key] += value
                else:
                    stream.texts[end, key] = value
        streams.append(stream)
    return Answers(streams, told["connections_listed"] == told["connections_total"], told)


def tshark_itself(path: Path) -> Answers:
    """Ask the installed tshark, as the oracles were made: two passes, defaults, an empty profile."""
    streams: dict[int, Stream] = {}
    for _, sender, number, values in tshark_frames(path):
        ends = sender, values["to"]
        stream = streams.get(number)
        if stream is None:
            stream = streams[number] = Stream(number, ends, values["time_ns"])
        stream.first_ns = min(stream.first_ns, values["time_ns"])
        flags, counts = values["flags"], stream.counts
        counts[sender, "packets"] += 1
        counts[sender, "payload_bytes"] += values["length"]
        counts[sender, "fin"] += bool(flags & FIN)
        counts[sender, "rst"] += bool(flags & RST)
        counts[sender, "syn_ack" if flags & ACK else "syn"] += bool(flags & SYN)
        for name in values["classes"]:
            counts[sender, name] += 1
        if stream.initial_rtt_ns is None and values["initial_rtt"]:
            stream.initial_rtt_ns = round(float(values["initial_rtt"]) * 1e9)
    return Answers(list(streams.values()), True, {})


def tshark_frames(path: Path) -> list[tuple[int, End, int, dict[str, Any]]]:
    """(frame, sender, stream, what tshark says) of each TCP frame; the innermost packet, not one quoted by ICMP."""
    with tempfile.TemporaryDirectory() as profile:
        fields = [*HEAD, *(f"tcp.analysis.{name}" for name in FLAGS)]
        command = ["tshark", "-2", "-n", "-r", str(path), "-T", "fields", "-E", "separator=/t", "-E", "occurrence=a"]
        for name in fields:
            command += ["-e", name]
        places = {"WIRESHARK_CONFIG_DIR": profile, "XDG_CONFIG_HOME": profile, "HOME": profile, "LC_ALL": "C"}
        done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **places})
    frames = []
    for line in done.stdout.split("\n"):
        values = line.split("\t")
        if len(values) == len(fields):
            read = _frame(dict(zip(fields, values, strict=True)))
            if read:
                frames.append(read)
    return frames


def _frame(values: dict[str, str]) -> tuple[int, End, int, dict[str, Any]] | None:
    layers: list[str] = []
    for layer in values["frame.protocols"].split(":"):
        layers.append(layer)
        if layer in ("icmp", "icmpv6"):
            break
    headers = [layer for layer in layers if layer in ("ip", "ipv6")]
    if "tcp" not in layers or not values["tcp.stream"] or not headers:
        return None
    kind, at = headers[-1], headers.count(headers[-1]) - 1
    source, target = (values[f"{kind}.{name}"].split(",") for name in ("src", "dst"))
    last = {key: values[key].split(",")[-1] for key in HEAD if key.startswith("tcp")}
    sender = str(ip_address(source[at])), int(last["tcp.srcport"])
    told = {
        "to": (str(ip_address(target[at])), int(last["tcp.dstport"])),
        "time_ns": nanoseconds(values["frame.time_epoch"]),
        "length": int(last["tcp.len"] or 0),
        "flags": int(last["tcp.flags"] or "0", 16),
        "initial_rtt": last["tcp.analysis.initial_rtt"],
        "classes": [name for name in FLAGS if values[f"tcp.analysis.{name}"]],
    }
    return int(values["frame.number"]), sender, int(last["tcp.stream"]), told


def tshark_version() -> str:
    """Version of the installed tshark, empty where there is none."""
    try:
        done = subprocess.run(["tshark", "--version"], capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return next((word for word in done.stdout.split() if word[0].isdigit() and word.count(".") == 2), "")
