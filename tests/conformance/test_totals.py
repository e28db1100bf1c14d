"""Every capture's packets and bytes, counted once: in the seconds, in the sessions, and by tshark."""

from __future__ import annotations

import json

import pytest

from tests.captures import CAPTURES, needs_captures
from tests.conformance.ours import address, analyse

NAMES = (
    sorted(path.name.removesuffix(".tshark.json") for path in CAPTURES.glob("oracle/*.tshark.json")) if CAPTURES else []
)


@needs_captures
@pytest.mark.parametrize("name", NAMES)
def test_it_counts_every_packet_and_byte_once(name: str) -> None:
    assert CAPTURES
    totals = json.loads((CAPTURES / "oracle" / f"{name}.tshark.json").read_text())["totals"]
    ours = analyse(CAPTURES / name)
    for expected, columns in (("ip_packets", slice(0, 2)), ("ip_bytes_inner", slice(2, 4))):
        in_seconds = sum(int(second.dense[:, columns].sum()) for second in ours.seconds)
        sides = [f"{expected.split('_')[1]}_{side}" for side in ("client", "server")]
        in_sessions = sum(int(ours.sessions[side].sum()) for side in sides) if len(ours.sessions) else 0
        assert in_seconds == in_sessions
        if not totals.get("malformed_packets"):
            assert in_seconds == totals.get(expected, 0)


def test_it_shows_ipv6_and_mapped_addresses_as_text() -> None:
    assert address(0, 0xFFFF0A000001) == "10.0.0.1"
    assert address(0x20010DB8 << 32, 1) == "2001:db8::1"
