"""What the nodes say about a draft: how much matches right now, and what it would cost to keep. All are asked at once.

Each node gets one call: the conversations of its last minute with the largest of them, and plans (counts only) of what
a pull of that minute would bring. The last minutes are in a node's memory, so this costs it milliseconds.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Any

from cstor.metrics.metric import Subject
from monitors import state
from monitors.kinds.kind import KINDS
from monitors.models import Node
from monitors.nodes.client import NodeClient, NodeError
from monitors.preview.cost import Cost, estimate
from monitors.preview.draft import Draft

MINUTE_S = 60
GRAIN_S = 10
CLOSING_S = 4  # a node's newest seconds are still open
# Somebody is typing: a node that hangs must not hide what the others have.
READ_S = 3.0
WHOLE_S = 4.0
PATIENCE_S = 5.0
MOST_AT_ONCE = 16
EXAMPLES = 5
MOST_BUCKETS = 6
PROTOCOLS = {1: "ICMP", 6: "TCP", 17: "UDP", 58: "ICMPv6", 132: "SCTP"}

# What one example is about, and what the largest is ranked by.
EXAMPLE_KEYS: dict[Subject, tuple[str, ...]] = {
    "conversations": ("client_ip", "server_ip", "server_port", "protocol"),
    "points": ("vni",),
    "node": ("source", "reason"),
}
RANKED_BY: dict[Subject, str] = {"conversations": "bytes", "points": "bytes", "node": "packets"}
NOUNS: dict[Subject, tuple[str, str]] = {
    "conversations": ("conversation", "conversations"),
    "points": ("link", "links"),
    "node": ("counter", "counters"),
}


@dataclass(frozen=True)
class Example:
    """One thing that matches, with its volume in the minute."""

    keys: tuple[tuple[str, Any], ...]
    amount: int

    def __str__(self) -> str:
        keys = dict(self.keys)
        if "client_ip" not in keys:
            return ", ".join(f"{name} {value}" for name, value in self.keys if value is not None) or "the whole link"
        server, port, number = str(keys["server_ip"]), keys["server_port"], keys["protocol"]
        address = f"[{server}]" if ":" in server and port else server
        protocol = PROTOCOLS.get(number, f"protocol {number}")
        return f"{keys['client_ip']} → {address}{f':{port}' if port else ''} {protocol}"


@dataclass(frozen=True)
class NodeMatch:
    """What one node answered, or why it did not."""

    node: Node
    error: str = ""
    matches: int = 0
    rows_per_minute: float = 0.0
    groups: int = 0
    folded: int = 0
    until: int | None = None
    stands: bool = False
    examples: tuple[Example, ...] = ()


@dataclass(frozen=True)
class Preview:
    """The nodes' answers taken together."""

    draft: Draft
    nodes: tuple[NodeMatch, ...]
    took_ms: int
    cost: Cost | None = field(default=None)

    @property
    def answered(self) -> list[NodeMatch]:
        return [one for one in self.nodes if not one.error]

    @property
    def failed(self) -> list[NodeMatch]:
        return [one for one in self.nodes if one.error]

    @property
    def matches(self) -> int:
        return sum(one.matches for one in self.nodes)

    @property
    def seen_on(self) -> int:
        return sum(one.matches > 0 for one in self.nodes)

    @property
    def rows_per_minute(self) -> float:
        return sum(one.rows_per_minute for one in self.nodes)

    @property
    def noun(self) -> str:
        one, many = NOUNS[KINDS[self.draft.kind].subject]
        return one if self.matches == 1 else many

    @property
    def folded(self) -> int:
        """Groups beyond the top N of a minute: kept together as other."""
        return sum(one.folded for one in self.nodes)

    @property
    def standing(self) -> list[NodeMatch]:
        """Nodes that bring nothing new: their last minute is in the past."""
        return [one for one in self.nodes if one.stands]

    @property
    def examples(self) -> list[Example]:
        amounts: dict[tuple[tuple[str, Any], ...], int] = {}
        for one in self.nodes:
            for example in one.examples:
                amounts[example.keys] = amounts.get(example.keys, 0) + example.amount
        found = [Example(keys, amount) for keys, amount in amounts.items()]
        return sorted(found, key=lambda example: -example.amount)[:EXAMPLES]


def preview(draft: Draft) -> Preview:
    """Ask every node of the draft; returns within seconds, whatever they do."""
    began = time.monotonic()
    enabled = [node for node in draft.nodes if node.enabled]
    found = {node.pk: NodeMatch(node, "is switched off") for node in draft.nodes}
    if enabled:
        pool = ThreadPoolExecutor(max_workers=min(MOST_AT_ONCE, len(enabled)))
        calls = {pool.submit(_ask, draft, node, time.time()): node for node in enabled}
        done, late = wait(calls, timeout=PATIENCE_S)
        pool.shutdown(wait=False, cancel_futures=True)
        found |= {calls[call].pk: NodeMatch(calls[call], f"no answer within {PATIENCE_S:.0f} s") for call in late}
        found |= {calls[call].pk: call.result() for call in done}
    answers = tuple(found[node.pk] for node in draft.nodes)
    rows, groups = (sum(getattr(one, name) for one in answers) for name in ("rows_per_minute", "groups"))
    cost = estimate(rows, groups, draft.resolution, draft.steps) if any(not one.error for one in answers) else None
    return Preview(draft, answers, round(1000 * (time.monotonic() - began)), cost)


def _ask(draft: Draft, node: Node, now: float) -> NodeMatch:
    grain = max(GRAIN_S, draft.resolution)
    end = _end(node, now, grain)
    try:
        answers = _answers(draft, node, end)
        newest = answers["examples"].get("complete_until")
        if isinstance(newest, int | float) and newest < end - MINUTE_S:
            # Its data ends earlier than was known here: a store of captures, or a capture that stands still.
            end = -(-int(newest) // grain) * grain
            answers = _answers(draft, node, end)
        return _match(draft, node, end, answers)
    except NodeError as error:
        return NodeMatch(node, str(error))
    except (KeyError, TypeError, ValueError, AttributeError):
        return NodeMatch(node, "answered something else than series: is this a cStor node?")


def _end(node: Node, now: float, grain: int) -> int:
    """End of the last minute of which the node has all; of one that stands still, of its last data."""
    known = node.complete
    if known is not None and state.stands(node, now):
        return -(-known // grain) * grain
    return int(now - CLOSING_S) // grain * grain


def _answers(draft: Draft, node: Node, end: int) -> dict[str, dict[str, Any]]:
    client = NodeClient(node, READ_S, WHOLE_S)
    found = {str(answer.get("id")): answer for answer in client.series(_queries(draft, end))}
    for answer in found.values():
        problem = answer.get("error")
        if problem:
            detail = problem.get("detail") or problem.get("title") if isinstance(problem, dict) else problem
            raise NodeError(f"refused: {detail}")
    return found


def _queries(draft: Draft, end: int) -> list[dict[str, Any]]:
    kind = KINDS[draft.kind]
    what = kind.query(draft.filter, list(draft.keys), {})
    start, ranked = end - MINUTE_S, RANKED_BY[kind.subject]
    minute = {"from": start, "to": end, "step": max(GRAIN_S, draft.resolution)}
    shown = {"by": list(EXAMPLE_KEYS[kind.subject]), "limit": EXAMPLES, "metrics": [ranked], "order": [ranked]}
    plan = {**what, "limit": draft.top_n, "plan": 1}
    return [
        {**what, **minute, **shown, "id": "examples"},
        {**plan, **minute, "id": "minute"},
        *(
            {**plan, "from": t, "to": t + draft.resolution, "step": draft.resolution, "id": f"bucket {t}"}
            for t in _buckets(start, end, draft.resolution)
        ),
    ]


def _buckets(start: int, end: int, resolution: int) -> range:
    """Buckets spread over the minute: enough to know how many rows one has."""
    every = max(resolution, (end - start) // MOST_BUCKETS)
    return range(start, end, every) if resolution < MINUTE_S else range(0)


def _match(draft: Draft, node: Node, end: int, answers: dict[str, dict[str, Any]]) -> NodeMatch:
    head = answers["examples"]
    matches = int(head["groups"])
    minute = answers["minute"]["plan"]
    buckets = [answer for name, answer in answers.items() if name.startswith("bucket")] or [answers["minute"]]
    # A node that was started within the minute has not seen all of it.
    seen = [answer for answer in buckets if _was_watching(answer)] or buckets
    rows = sum(_rows(answer["plan"], bool(draft.keys)) for answer in seen) / len(seen)
    return NodeMatch(
        node,
        matches=matches,
        rows_per_minute=rows * MINUTE_S / draft.resolution if matches else 0.0,
        groups=_rows(minute, bool(draft.keys)) if matches else 0,
        folded=max(0, int(minute["groups"]) - int(minute["kept"])) if draft.keys else 0,
        until=end,
        stands=state.stands(node, time.time()) or end < time.time() - 2 * MINUTE_S - state.LATE_S,
        examples=_examples(head, KINDS[draft.kind].subject),
    )


def _was_watching(answer: dict[str, Any]) -> bool:
    """Whether the node captured in all of the bucket."""
    pairs = answer.get("observed")
    return pairs is None or any(start <= answer["from"] and answer["to"] <= stop for start, stop in pairs)


def _rows(plan: dict[str, Any], has_keys: bool) -> int:
    """Rows of one bucket: those of the groups, of the rest, and the total."""
    if not has_keys:
        return 1
    return int(plan["rows_per_bucket"]) + 1 if plan["groups"] else 0


def _examples(answer: dict[str, Any], subject: Subject) -> tuple[Example, ...]:
    columns, keys = answer["columns"], EXAMPLE_KEYS[subject]
    rest = columns.get("is_other") or [False] * len(columns["t"])
    bases = [columns[name] for name in ("bytes", "bytes_client", "bytes_server", "packets") if columns.get(name)]
    found: dict[tuple[tuple[str, Any], ...], int] = {}
    for number, is_other in enumerate(rest):
        if not is_other:
            values = tuple((key, columns[key][number]) for key in keys)
            found[values] = found.get(values, 0) + sum(column[number] or 0 for column in bases)
    return tuple(Example(values, amount) for values, amount in found.items())
