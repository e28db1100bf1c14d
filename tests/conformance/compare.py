"""Stream by stream and direction by direction: our counts beside another tool's, and why they differ where they do."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from tests.conformance.ours import End, Pair, Session
from tests.conformance.theirs import Stream

# tshark's name: ours, counted by sender
CLASSES = {
    "retransmission": "retransmissions",
    "fast_retransmission": "fast_retransmissions",
    "spurious_retransmission": "spurious_retransmissions",
    "out_of_order": "out_of_order",
    "duplicate_ack": "duplicate_acks",
    "lost_segment": "gaps",
    "ack_lost_segment": "acked_unseen",
    "zero_window": "zero_windows",
    "zero_window_probe": "zero_window_probes",
    "window_full": "window_full",
    "keep_alive": "keep_alives",
}
VOLUME = {"packets": "packets", "payload_bytes": "payload_bytes", "fin": "fins", "rst": "resets"}
WITHOUT_SIDE = {"syn": "syns", "syn_ack": "syn_acks"}


@dataclass
class Matched:
    """A stream of theirs with the sessions of ours that are it."""

    stream: Stream
    sessions: list[Session] = field(default_factory=list)

    def ours(self, stem: str, end: End) -> int:
        return sum(session.of(stem, end) for session in self.sessions)

    def whole(self, name: str) -> int:
        """A counter without sides."""
        return sum(int(session.row[name]) for session in self.sessions)

    @property
    def directions(self) -> list[tuple[str, End]]:
        a, b = self.stream.ends
        return [("a to b", a)] if a == b else [("a to b", a), ("b to a", b)]


@dataclass
class Difference:
    """One number that is not the same."""

    capture: str
    stream: int
    direction: str
    metric: str
    ours: float
    theirs: float
    reason: str = ""  # name of a rule; empty: not explained


@dataclass
class Tally:
    """One metric over all captures."""

    compared: int = 0
    nonzero: int = 0
    equal: int = 0
    differences: list[Difference] = field(default_factory=list)

    def add(self, difference: Difference, is_equal: bool, why: Callable[[Difference], str] = lambda _: "") -> None:
        self.compared += 1
        self.nonzero += bool(difference.ours or difference.theirs)
        if is_equal:
            self.equal += 1
        else:
            difference.reason = why(difference)
            self.differences.append(difference)


def match(streams: Iterable[Stream], sessions: dict[Pair, list[Session]], is_complete: bool) -> Iterator[Matched]:
    """Each stream with its sessions.

    A stream may hold several sessions of ours: a silence, or a copy under another VNI. Where only the largest streams
    are listed, endpoints of which we know more connections than are listed are left out.
    """
    by_pair: dict[Pair, list[Matched]] = defaultdict(list)
    for stream in sorted(streams, key=lambda stream: stream.number):
        by_pair[stream.pair].append(Matched(stream))
    for pair, listed in by_pair.items():
        found = sessions.get(pair, [])
        if not is_complete and len(listed) < sum(_is_new(session) for session in found):
            continue
        if not _deal_by_packets(listed, found):
            _deal_by_time(listed, found)
        yield from listed


def _deal_by_packets(listed: list[Matched], found: list[Session]) -> bool:
    """Sessions of one 5-tuple end in the order in which they began: each stream takes until it has its packets."""
    waiting = list(reversed(found))
    for one in listed:
        missing = sum(one.stream.counts[end, "packets"] for end in set(one.stream.ends))
        while waiting and missing > 0:
            missing -= waiting[-1].packets
            one.sessions.append(waiting.pop())
        if missing:
            break
    else:
        if not waiting:
            return True
    for one in listed:
        one.sessions.clear()
    return False


def _deal_by_time(listed: list[Matched], found: list[Session]) -> None:
    """Each session belongs to the last stream of its endpoints that had begun when it began."""
    for session in found:
        begun = [one for one in listed if one.stream.first_ns <= session.start_ns]
        (begun[-1] if begun else listed[0]).sessions.append(session)


def _is_new(session: Session) -> bool:
    return not session.row["missing_syn"]


def numbers(matched: Matched) -> Iterator[tuple[str, str, int, int]]:
    """(metric, direction, ours, tshark's) of everything that is counted."""
    theirs = matched.stream.counts
    for name, stem in (VOLUME | CLASSES).items():
        for direction, end in matched.directions:
            yield stem, direction, matched.ours(stem, end), theirs[end, name]
    for name, ours in WITHOUT_SIDE.items():
        yield ours, "both", matched.whole(ours), sum(theirs[end, name] for _, end in matched.directions)


def differences(matched: Matched, capture: str) -> list[Difference]:
    """What is not the same in one stream, not yet explained."""
    return [
        Difference(capture, matched.stream.number, direction, metric, ours, theirs)
        for metric, direction, ours, theirs in numbers(matched)
        if ours != theirs
    ]


def totals(sessions: dict[Pair, list[Session]]) -> Counter[str]:
    """Our counts over all streams of a capture, under tshark's names."""
    found = Counter[str]()
    for session in (one for listed in sessions.values() for one in listed):
        for name, stem in (VOLUME | CLASSES).items():
            found[name] += int(session.row[f"{stem}_client"]) + int(session.row[f"{stem}_server"])
        for name, ours in WITHOUT_SIDE.items():
            found[name] += int(session.row[ours])
    return found
