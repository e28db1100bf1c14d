"""Our numbers of the real captures beside those of tshark 4.0, per pair of endpoints and direction."""

from __future__ import annotations

import pytest

from tests.captures import CAPTURES, needs_captures
from tests.cstor.flows.oracles import CLASSES, address, analyse, oracle, tshark_pairs

NAMES = (
    sorted(path.name.removesuffix(".tshark.json") for path in CAPTURES.glob("oracle/*.tshark.json")) if CAPTURES else []
)

# Deliberate differences: (capture, what is counted) -> why.
DIFFERENT = {
    (
        "ipv4-fragments-tcp-socks.pcap",
        "packets",
    ): "every fragment is a packet for us, for tshark only the one that completes",
    (
        "fuzzed-big-endian-sip.pcap",
        "payload_bytes",
    ): "length fields beyond the frame: we believe the field, tshark the frame",
}


@needs_captures
@pytest.mark.parametrize("name", NAMES)
def test_it_counts_what_tshark_counts(name: str) -> None:
    answers = oracle(CAPTURES, name)
    ours = analyse(CAPTURES / name)
    theirs = tshark_pairs(answers)
    listed = answers["streams_listed"] == answers["streams_total"]
    for ends, pair in theirs.items():
        found = ours.pairs[ends]
        if not listed and pair.streams != found.streams:
            continue  # only the largest streams are in the oracle
        for end in ends:
            for what in (*CLASSES, "syn", "syn_ack"):
                if (name, what) not in DIFFERENT:
                    assert (end, what, found.counts[end, what]) == (end, what, pair.counts[end, what]), sorted(ends)


@needs_captures
@pytest.mark.parametrize("name", NAMES)
def test_its_handshake_round_trip_is_tsharks_initial_rtt(name: str) -> None:
    ours = analyse(CAPTURES / name)
    for ends, pair in tshark_pairs(oracle(CAPTURES, name)).items():
        found = ours.pairs[ends].round_trips_ns
        if pair.round_trips_ns and found and found[0] != 0:
            assert abs(found[0] - pair.round_trips_ns[0]) <= 1000, sorted(ends)


@needs_captures
@pytest.mark.parametrize("name", NAMES)
def test_it_counts_every_packet_and_byte_once(name: str) -> None:
    totals = oracle(CAPTURES, name)["totals"]
    ours = analyse(CAPTURES / name)
    for expected, columns in (("ip_packets", slice(0, 2)), ("ip_bytes_inner", slice(2, 4))):
        in_seconds = sum(int(second.dense[:, columns].sum()) for second in ours.seconds)
        sides = [f"{expected.split('_')[1]}_{side}" for side in ("client", "server")]
        in_sessions = sum(int(ours.sessions[side].sum()) for side in sides) if len(ours.sessions) else 0
        assert in_seconds == in_sessions
        if not totals.get("malformed_packets"):
            assert in_seconds == totals.get(expected, 0)


@needs_captures
def test_it_shows_ipv6_and_mapped_addresses_as_text() -> None:
    assert address(0, 0xFFFF0A000001) == "10.0.0.1"
    assert address(0x20010DB8 << 32, 1) == "2001:db8::1"
