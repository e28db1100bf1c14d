"""Every stream and direction of the captures beside tshark's oracles, and the rule of ours behind each difference."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from tests.conformance.compare import CLASSES, VOLUME, WITHOUT_SIDE, Difference, Matched, Tally, match, numbers, totals
from tests.conformance.ours import analyse
from tests.conformance.theirs import tshark_oracle

HANDSHAKE, ONLY_THEIRS = "handshake_rtt", "handshake round trip that only tshark has"
ROUNDING_NS = 1000  # the oracles have microseconds where the capture has

Check = Callable[[Difference, Matched], bool]


def _is_fragmented(difference: Difference, matched: Matched) -> bool:
    fragments = sum(matched.ours("fragments", end) for _, end in matched.directions)
    return difference.metric == "packets" and 0 < difference.ours - difference.theirs <= fragments


def _reaches_beyond_the_frame(difference: Difference, matched: Matched) -> bool:
    """The oracle's own count of bytes on the wire cannot hold the payload that the length fields claim."""
    frames = matched.stream.counts[dict(matched.directions).get(difference.direction), "frame_bytes"]
    return difference.metric == "payload_bytes" and difference.ours > frames


def _was_resent(difference: Difference, matched: Matched) -> bool:
    return difference.metric == ONLY_THEIRS and (matched.whole("syns") > 1 or matched.whole("syn_acks") > 1)


def _was_half_seen(difference: Difference, matched: Matched) -> bool:
    return difference.metric == ONLY_THEIRS and (matched.whole("syns") == 0 or matched.whole("syn_acks") == 0)


def _comes_from_the_wrong_side(difference: Difference, matched: Matched) -> bool:
    """tshark takes the first ACK after the SYN of either side, whatever it acknowledges."""
    connected = sum(int(session.row["connect_time_count"]) for session in matched.sessions)
    return difference.metric == ONLY_THEIRS and connected == 0


def _lies_under_two_vnis(difference: Difference, matched: Matched) -> bool:
    vnis = {int(session.row["vni"]) for session in matched.sessions}
    return difference.metric == ONLY_THEIRS and len(vnis) > 1


RULES: dict[str, tuple[str, Check]] = {
    "fragments": ("Each IP fragment is a packet; for tshark only the one that completes a segment is.", _is_fragmented),
    "length field": (
        "Payload is what the IP length says, since frames may be cut; tshark takes the frame where the field claims "
        "more than the frame had on the wire (fuzzed packets).",
        _reaches_beyond_the_frame,
    ),
    "two mirror points": (
        "SYN and SYN-ACK were seen at two mirror points (VNIs): each has a connection of its own, and the time between "
        "two points is no round trip. tshark looks at addresses and ports only.",
        _lies_under_two_vnis,
    ),
    "resent handshake": (
        "No round trip where SYN or SYN-ACK was seen more than once (Karn): nobody knows which one was answered.",
        _was_resent,
    ),
    "half a handshake": (
        "No round trip where SYN or SYN-ACK was not seen; tshark measures from the last SYN to any ACK.",
        _was_half_seen,
    ),
    "no end of the handshake": (
        "The client's ACK of the SYN-ACK was not seen; tshark takes the first ACK of either side.",
        _comes_from_the_wrong_side,
    ),
}


def explain(difference: Difference, matched: Matched) -> str:
    """Name of the rule that makes a difference, empty where none does."""
    return next((name for name, (_, check) in RULES.items() if check(difference, matched)), "")


class TsharkPart:
    """All captures compared; `tallies` by metric, in the order of the page."""

    def __init__(self, captures: Path, names: list[str]) -> None:
        first = (*VOLUME.values(), *WITHOUT_SIDE.values(), HANDSHAKE, ONLY_THEIRS)
        self.tallies = {name: Tally() for name in first}
        self.tallies |= {name: Tally() for name in CLASSES.values()}
        self.totals = {name: Tally() for name in self.tallies if name not in ("packets", HANDSHAKE, ONLY_THEIRS)}
        self.streams = self.listed = 0
        for name in names:
            self._add(captures, name)

    def _add(self, captures: Path, name: str) -> None:
        answers, ours = tshark_oracle(captures, name), analyse(captures / name)
        for matched in match(answers.streams, ours.tcp, answers.is_complete):
            self.streams += 1
            self._add_counts(name, matched)
            self._add_handshake(name, matched)
        self.listed += answers.totals["tcp_streams"]
        mine_in_all = totals(ours.tcp)
        for theirs_name, ours_name in (VOLUME | CLASSES | WITHOUT_SIDE).items():
            if ours_name in self.totals:
                mine, theirs = mine_in_all[theirs_name], answers.totals["tcp"].get(theirs_name, 0)
                found = Difference(name, -1, "both", ours_name, mine, theirs)
                self.totals[ours_name].add(found, mine == theirs)

    def _add_counts(self, name: str, matched: Matched) -> None:
        for metric, direction, mine, theirs in numbers(matched):
            found = Difference(name, matched.stream.number, direction, metric, mine, theirs)
            self.tallies[metric].add(found, mine == theirs, lambda one: explain(one, matched))

    def _add_handshake(self, name: str, matched: Matched) -> None:
        theirs = matched.stream.initial_rtt_ns
        rows = [session.row for session in matched.sessions if session.row["handshake_rtt_count"]]
        if theirs is None and not rows:
            return
        mine = int(rows[0]["handshake_rtt_sum"]) if rows else 0
        metric = HANDSHAKE if rows else ONLY_THEIRS
        found = Difference(name, matched.stream.number, "both", metric, mine / 1e6, (theirs or 0) / 1e6)
        is_equal = bool(rows) and theirs is not None and abs(mine - theirs) <= ROUNDING_NS
        self.tallies[metric].add(found, is_equal, lambda one: explain(one, matched))

    @property
    def differences(self) -> Iterator[Difference]:
        for tally in self.tallies.values():
            yield from tally.differences
