"""GET status as OpenAPI describes it: every member with its meaning. Test: a real status has no other."""

from __future__ import annotations

from typing import Any

from cstor.stages import STAGES

Schema = dict[str, Any]


def _number(text: str, whole: bool = False, null: bool = False) -> Schema:
    return {"type": "integer" if whole else "number", "description": text} | ({"nullable": True} if null else {})


def _text(text: str, null: bool = False, **more: Any) -> Schema:
    return {"type": "string", "description": text, **more} | ({"nullable": True} if null else {})


def _object(text: str, /, **members: Schema) -> Schema:
    return {"type": "object", "description": text, "properties": members}


def _or_null(found: Schema) -> Schema:
    return found | {"nullable": True}


def _map(text: str, of: Schema) -> Schema:
    return {"type": "object", "description": text, "additionalProperties": of}


def _list(text: str, of: Schema) -> Schema:
    return {"type": "array", "description": text, "items": of}


_PACKETS = _number("packets since the start", whole=True)
_DROPS = _map("packets lost since the start, by reason", _PACKETS)
_FILL = _number("share of the ring or socket buffer that waits to be read, 0..1; null where nobody can know", null=True)

_RATES = {
    "packets": _PACKETS,
    "bytes": _number("bytes of the frames since the start", whole=True),
    "truncated": _number("packets of which less was captured than sent", whole=True),
    "packets_per_s": _number("over the last second"),
    "bits_per_s": _number("over the last second"),
    "drops": _DROPS,
    "drops_per_s": _number("over the last second"),
    "ring_fill": _FILL,
}
_THREAD = _object(
    "one capture thread of a source",
    thread=_text("name"),
    freezes=_number("how often its ring was full", whole=True),
    **_RATES,
)
_SOURCE = _object(
    "one source of packets",
    name=_text("as configured"),
    state=_text("what it does", enum=["capturing", "ended", "failed"]),
    problem=_text("why nothing is received", null=True),
    warnings=_list("what an operator should know although packets come", _text("one line")),
    threads=_list("the same by capture thread", _THREAD),
    **_RATES,
)
_ALARM = _object(
    "what is wrong right now",
    key=_text("kind of trouble, see docs/observability.md"),
    severity=_text(
        "critical: the node does not do its work; warning: packets are lost, or will be; notice: set up better",
        enum=["critical", "warning", "notice"],
    ),
    text=_text("in words"),
)
_STAGE = _object(
    "time of one stage per packet that the node took in",
    ns_per_packet=_number("since the start, nanoseconds", null=True),
    ns_per_packet_last=_number("over the last second", null=True),
)
_TABLE = _object(
    "the flow table",
    flows=_number("open flows", whole=True),
    conversations=_number("conversations with open flows", whole=True),
    flow_rows=_number("rows ever used at once: what the table costs in memory", whole=True),
    flow_limit=_number("flows beyond which the oldest unestablished are evicted", whole=True),
    occupancy=_number("flows / flow_limit"),
    pools=_map("share of each of its pools that was ever used at once", _number("0..1")),
    opened_per_s=_number("flows that began, over the last second"),
    evicted_per_s=_number("flows that were evicted, over the last second"),
)
_CAPTURE = _object(
    "what the capturing process says of itself; null for a store that is only served",
    pid=_number("process id", whole=True),
    started=_number("epoch seconds"),
    written=_number("epoch seconds of this account; older than 10 s, the capture hangs"),
    drops_per_s=_map("packets lost per second over the last second, by reason", _number("packets per second")),
    analysis=_map("events since the start, by kind", _number("events", whole=True)),
    stored=_object(
        "what went to the store since the start",
        packets=_number("packets written", whole=True),
        bytes=_number("bytes written", whole=True),
        packets_per_s=_number("over the last second"),
        bytes_per_s=_number("over the last second"),
        rows=_number("rows of conversations handed to the store", whole=True),
        sessions=_number("sessions handed to the store", whole=True),
        failures=_number("writes that failed", whole=True),
    ),
    table=_TABLE,
    stages=_object("time per packet by stage", **dict.fromkeys(STAGES, _STAGE)),
    threads=_list(
        "threads of the process",
        _object(
            "one name's threads",
            name=_text("name"),
            cpu_s=_number("seconds on a processor since the start"),
            cpu_share=_number("cores in use over the last second"),
        ),
    ),
    gauges=_map("levels by name: queues, memory, lag", _number("now")),
)

STATUS = _object(
    "a node's account of itself",
    name=_text("of the node"),
    version=_text("of cStor"),
    versions=_map("of what it stands on", _text("version")),
    mode=_text("whether a capture stands behind this API", enum=["capture", "serve"]),
    now=_number("the node's clock, epoch seconds"),
    clock=_object(
        "whether the clock is kept in step",
        synchronised=_text("by NTP or PTP; null where the system does not tell", null=True) | {"type": "boolean"},
        max_error_s=_number("largest error that the kernel vouches for", null=True),
    ),
    problem=_text("why this node should get no questions: healthz says the same", null=True),
    alarms=_list("everything that is wrong right now", _ALARM),
    lag_s=_number("how far complete seconds are behind the clock; null for a store that is only served", null=True),
    behind=_text("whether that is more than 10 s") | {"type": "boolean"},
    oldest_packet=_number("epoch seconds", null=True),
    newest_packet=_number("epoch seconds", null=True),
    oldest_bucket=_number("epoch second of the oldest series", whole=True, null=True),
    newest_bucket=_number("epoch second of the newest series", whole=True, null=True),
    kept_from=_number("epoch second: retention removed what is older", whole=True, null=True),
    complete_until=_number("epoch second: nothing before it will change", whole=True, null=True),
    observed=_list("[from, to) in which every source was capturing", _list("from, to", _number("epoch second"))),
    kills=_list(
        "the last captures that did not stop by themselves; sessions of what was open then are lost, series are not",
        _object(
            "one of them",
            complete_until=_number("epoch second: what it had acknowledged", whole=True),
            open_flows=_number("flows whose sessions are lost", whole=True),
        ),
    ),
    revisions=_map("hours (epoch second) that changed after they were complete", _number("revision", whole=True)),
    disk=_object(
        "the store's disk, counted every ten seconds",
        used=_map(
            "by dataset",
            _object("its files", files=_number("how many", whole=True), bytes=_number("how large", whole=True)),
        ),
        free_bytes=_number("free", whole=True),
        total_bytes=_number("of the file system", whole=True),
    ),
    sources=_list("where packets come from", _SOURCE),
    drops=_DROPS,
    malformed=_map("packets that could not be decoded to the end, by reason", _PACKETS),
    capture=_or_null(_CAPTURE),
)
