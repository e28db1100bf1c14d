"""The captures beside tcptrace's oracles, per pair of endpoints and direction.

tcptrace splits a stream into connections by its own rules, so its connections and our sessions are summed over the
pair of endpoints.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.conformance.compare import Difference, Tally
from tests.conformance.ours import End, Session, analyse
from tests.conformance.theirs import Stream, tcptrace_oracle

TENTH_MS = 0.1  # tcptrace prints round trips with one decimal


@dataclass
class Talk:
    """One direction of a pair of endpoints: the sender, the other end, and what both sides hold of the pair."""

    end: End
    other: End
    sessions: list[Session]
    connections: list[Stream]
    is_complete: bool = True  # False: the oracle lists only the largest connections of the capture

    def ours(self, *stems: str) -> int:
        return sum(session.of(stem, self.end) for stem in stems for session in self.sessions)

    def theirs(self, *names: str, end: End | None = None) -> int:
        return sum(stream.counts[end or self.end, name] for name in names for stream in self.connections)

    def syns(self) -> int:
        names = ("syns" if session.client == self.end else "syn_acks" for session in self.sessions)
        return sum(int(one.row[name]) for one, name in zip(self.sessions, names, strict=True))

    def packets_sent(self, which: int) -> int:
        """tcptrace's SYNs (0) or FINs (1)."""
        texts = (str(stream.texts.get((self.end, "SYN/FIN_pkts_sent"), "0/0")) for stream in self.connections)
        return sum(int(text.split("/")[which]) for text in texts)

    def timing(self, name: str, part: str) -> int:
        """A timing of ours on the path of data of this end: between the capture and the other end."""
        sides = ("server" if session.client == self.end else "client" for session in self.sessions)
        return sum(int(one.row[f"{name}_{side}_{part}"]) for one, side in zip(self.sessions, sides, strict=True))

    @property
    def is_single(self) -> bool:
        return len(self.sessions) == len(self.connections) == 1

    def told(self, name: str) -> float:
        return float(self.connections[0].texts.get((self.end, name), 0))


Numbers = Callable[[Talk], tuple[float, float] | None]


def _handshake(talk: Talk) -> tuple[float, float] | None:
    if not talk.is_single or not talk.timing("handshake_rtt", "count") or not talk.told("RTT_from_3WHS"):
        return None
    return talk.timing("handshake_rtt", "sum") / 1e6, talk.told("RTT_from_3WHS")


def _mean(talk: Talk) -> tuple[float, float] | None:
    """Where both have as many samples; tcptrace times the SYN, which is our handshake."""
    samples = talk.timing("ack_rtt", "count") + talk.timing("handshake_rtt", "count")
    if not talk.is_single or not samples or samples != talk.theirs("RTT_samples"):
        return None
    total = talk.timing("ack_rtt", "sum") + talk.timing("handshake_rtt", "sum")
    return total / samples / 1e6, talk.told("RTT_avg")


SAME: dict[str, Numbers] = {
    "packets": lambda talk: (talk.ours("packets"), talk.theirs("total_packets")),
    "packets with data": lambda talk: (talk.ours("data_packets"), talk.theirs("actual_data_pkts")),
    "payload bytes": lambda talk: (talk.ours("payload_bytes"), talk.theirs("actual_data_bytes")),
    "SYN": lambda talk: (talk.syns(), talk.packets_sent(0)),
    "FIN": lambda talk: (talk.ours("fins"), talk.packets_sent(1)),
    "zero windows": lambda talk: (talk.ours("zero_windows"), talk.theirs("zero_win_adv")),
    "handshake round trip, ms": _handshake,
    "mean round trip of as many samples, ms": _mean,
}
OTHER: dict[str, tuple[Numbers, str]] = {
    "resent or late segments": (
        lambda talk: (
            talk.ours("retransmissions", "out_of_order", "keep_alives"),
            talk.theirs("rexmt_data_pkts", "outoforder_pkts"),
        ),
        "tcptrace keeps the ranges of sequence numbers that it has seen, of data only; tshark, and so we, the highest "
        "one, of SYN and FIN too. A keep-alive's byte is resent data for tcptrace and is added here; one without data "
        "is no segment for it. Where a gap is filled late, tcptrace says out of order whenever it comes.",
    ),
    "unique bytes": (
        lambda talk: (talk.ours("payload_bytes") - talk.ours("retransmitted_bytes"), talk.theirs("unique_bytes_sent")),
        "Ours: payload less that of resent segments, whole. tcptrace: bytes of sequence numbers not seen before, which "
        "counts a partly new segment in part and an overlap that tshark calls out of order not at all; a keep-alive's "
        "byte is payload for us.",
    ),
    "out of order": (
        lambda talk: (talk.ours("out_of_order"), talk.theirs("outoforder_pkts")),
        "tshark decides by time (within one round trip), tcptrace by ranges of sequence numbers.",
    ),
    "duplicate ACKs": (
        lambda talk: (talk.ours("duplicate_acks"), talk.theirs("duplicate_acks", end=talk.other)),
        "tcptrace counts only while data is outstanding, and ACKs whose window changed or that carry a FIN too; it "
        "files them under the direction of the data, which is turned round here.",
    ),
    "samples of the round trip": (
        lambda talk: (
            talk.timing("ack_rtt", "count") + talk.timing("handshake_rtt", "count"),
            talk.theirs("RTT_samples"),
        ),
        "Ours: at most 8 segments per direction are timed at once, and a resend, a gap or a late segment cancels all "
        "that wait (Karn); tcptrace times every segment that was sent once, and SYN and FIN too, also where the "
        "handshake's round trip is doubtful for us.",
    ),
}


def _cannot_look_inside(difference: Difference, talk: Talk) -> bool:
    """One direction of the pair is all in a tunnel, or behind labels, of which tcptrace sees nothing."""
    return difference.theirs == 0 and talk.theirs("total_packets") == 0


def _is_not_listed(difference: Difference, talk: Talk) -> bool:
    return not talk.is_complete and talk.theirs("total_packets") == 0


def _does_not_reassemble(difference: Difference, talk: Talk) -> bool:
    both = (Talk(end, end, talk.sessions, talk.connections) for end in (talk.end, talk.other))
    return sum(one.ours("fragments") for one in both) > 0


def _misreads_extension_headers(difference: Difference, talk: Talk) -> bool:
    return ":" in talk.end[0] and difference.capture == "ipv6-atomic-fragments-http.pcap"


def _is_malformed(difference: Difference, talk: Talk) -> bool:
    return difference.capture.startswith("fuzzed-")


def _counts_padding(difference: Difference, talk: Talk) -> bool:
    is_data = difference.metric in ("packets with data", "payload bytes")
    return is_data and 0 < difference.theirs - difference.ours <= 12 * talk.ours("packets")


def _sees_the_syn_ack_again(difference: Difference, talk: Talk) -> bool:
    return difference.metric.startswith("handshake") and any(one.row["syn_acks"] > 1 for one in talk.sessions)


def _has_keep_alives(difference: Difference, talk: Talk) -> bool:
    return difference.metric.startswith("mean") and sum(one.of("keep_alives", talk.end) for one in talk.sessions) > 0


def _cuts_seconds(difference: Difference, talk: Talk) -> bool:
    return difference.metric.startswith("mean") and abs(difference.ours / difference.theirs - 1) < 0.001


RULES: dict[str, tuple[str, Callable[[Difference, Talk], bool]]] = {
    "IPv6 extension headers": (
        "tcptrace takes IPv6 headers before TCP for data and loses the streams' ends.",
        _misreads_extension_headers,
    ),
    "not listed": (
        "tcptrace makes two connections of the two directions, and the oracle lists only the 200 largest.",
        _is_not_listed,
    ),
    "inside tunnels": ("tcptrace does not look into the tunnel in which these packets are.", _cannot_look_inside),
    "fragments": (
        "tcptrace leaves fragments out, also the first one; we count each, and the segment when it is complete.",
        _does_not_reassemble,
    ),
    "malformed": ("A fuzzed packet whose TCP header contradicts its IP length: malformed for us.", _is_malformed),
    "padding": ("tcptrace counts bytes that only fill the frame, or options beyond the snap length.", _counts_padding),
    "SYN-ACK resent after the handshake": (
        "The sample stands; tcptrace measures once more, from a later packet.",
        _sees_the_syn_ack_again,
    ),
    "keep-alives": ("tcptrace times the byte of a keep-alive instead of a segment.", _has_keep_alives),
    "rounding": ("tcptrace truncates long round trips by less than 0.1 %.", _cuts_seconds),
}


def explain(difference: Difference, talk: Talk) -> str:
    """Name of the rule that makes a difference, empty where none does."""
    return next((name for name, (_, check) in RULES.items() if check(difference, talk)), "")


class TcptracePart:
    """All captures that tcptrace could read."""

    def __init__(self, captures: Path, names: list[str]) -> None:
        self.same = {name: Tally() for name in SAME}
        self.other = {name: Tally() for name in OTHER}
        self.unreadable: list[str] = []
        self.pairs = 0
        for name in names:
            self._add(captures, name)

    def _add(self, captures: Path, name: str) -> None:
        answers = tcptrace_oracle(captures, name)
        if answers is None:
            self.unreadable.append(name)
            return
        pairs: dict[frozenset[End], list[Stream]] = defaultdict(list)
        for stream in answers.streams:
            pairs[stream.pair].append(stream)
        sessions = analyse(captures / name).tcp
        for pair, connections in pairs.items():
            found = sessions.get(pair, [])
            if not answers.is_complete and len(found) != len(connections):
                continue
            self.pairs += 1
            for end in sorted(pair):
                other = next((one for one in pair if one != end), end)
                self._compare(name, connections[0].number, Talk(end, other, found, connections, answers.is_complete))

    def _compare(self, name: str, number: int, talk: Talk) -> None:
        direction = f"from {talk.end[0]} port {talk.end[1]}"
        for metric, read in SAME.items():
            pair = read(talk)
            if pair is not None:
                found = Difference(name, number, direction, metric, *pair)
                is_equal = abs(pair[0] - pair[1]) < TENTH_MS
                self.same[metric].add(found, is_equal, lambda one: explain(one, talk))
        for metric, (read, _) in OTHER.items():
            pair = read(talk)
            if pair is not None:
                self.other[metric].add(Difference(name, number, direction, metric, *pair), pair[0] == pair[1])

    @property
    def differences(self) -> Iterator[Difference]:
        for tally in self.same.values():
            yield from tally.differences
