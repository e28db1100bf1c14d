"""Volume of all protocols: packets, bytes, payload, fragments, truncation, bursts, and who is the client."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from tests.cstor.flows.reading import analysed
from tests.packets import EPOCH, MS, Talk, join, packet, tcp, udp
from wire.packets.layout import ICMP

ENDS = ("10.0.0.1", "10.0.0.2")
VOLUME = ("packets", "bytes", "payload_bytes", "data_packets")


def test_it_counts_both_directions() -> None:
    found = analysed(join(udp(EPOCH, *ENDS, (9000, 53), 30), udp(EPOCH + MS, *ENDS[::-1], (53, 9000), 500)))
    assert [found.total(f"{name}_client") for name in VOLUME] == [1, 58, 30, 1]
    assert [found.total(f"{name}_server") for name in VOLUME] == [1, 528, 500, 1]
    assert (found.total("max_packet_bytes_client"), found.total("max_packet_bytes_server")) == (58, 528)
    assert [int(found.sessions[0][f"{name}_server"]) for name in VOLUME] == [1, 528, 500, 1]


@pytest.mark.parametrize(
    ("ports", "server_port"), [((53, 9000), 53), ((9000, 9001), 9001), ((53, 123), 123), ((9000, 53), 53)]
)
def test_it_takes_the_first_sender_of_udp_as_client_unless_only_its_port_is_well_known(ports, server_port) -> None:
    assert analysed(udp(EPOCH, *ENDS, ports)).sessions[0]["server_port"] == server_port


def test_it_keeps_protocols_without_ports() -> None:
    ping = packet(EPOCH, *ENDS, ICMP, 84, icmp_type=8, icmp_code=0)
    found = analysed(
        join(ping, packet(EPOCH + MS, *ENDS, 47, 100), packet(EPOCH + MS, *ENDS[::-1], ICMP, 84, icmp_type=0))
    )
    assert sorted((row["protocol"], row["packets_client"], row["packets_server"]) for row in found.sessions) == [
        (ICMP, 1, 1),
        (47, 1, 0),
    ]


def test_it_counts_fragments_as_packets_and_their_payload_once() -> None:
    pieces = [udp(EPOCH + number, *ENDS, (9000, 53), 0, fragment=number + 1, complete=0) for number in range(2)]
    whole = udp(EPOCH + 2, *ENDS, (9000, 53), 3000, fragment=3)
    whole["ip_length"] = 68
    found = analysed(join(*pieces, whole))
    assert (found.total("fragments_client"), found.total("packets_client")) == (3, 3)
    assert (found.total("bytes_client"), found.total("payload_bytes_client")) == (28 + 28 + 68, 3000)


def test_it_counts_what_was_captured_only_in_part() -> None:
    found = analysed(join(udp(EPOCH, *ENDS, (9000, 53), captured=60), udp(EPOCH + MS, *ENDS, (9000, 53))))
    assert (found.total("truncated_client"), found.sessions[0]["truncated_client"]) == (1, 1)


def test_it_keeps_the_largest_burst_of_a_millisecond() -> None:
    times = (0, 0.2, 0.9, 1.1, 5)
    found = analysed(join(*(udp(EPOCH + round(at * MS), *ENDS, (9000, 53), 72) for at in times)))
    assert found.total("burst_bytes") == 300
    assert found.sessions[0]["burst_bytes"] == 300


def test_it_leaves_out_what_is_not_ip() -> None:
    found = analysed(join(udp(EPOCH, *ENDS, (9000, 53), version=0)))
    assert (found.seconds, len(found.sessions), found.counters["not_ip"]) == ([], 0, 1)


def test_it_analyses_a_malformed_packet_for_volume_only() -> None:
    found = analysed(tcp(EPOCH, *ENDS, (0, 0), "", 0, 0, error=7, complete=0))
    assert (found.total("packets_client") + found.total("packets_server"), found.total("missing_syn")) == (1, 0)


@some.composite
def traffic(draw) -> np.ndarray:
    """Any packets between a few hosts, at any times, TCP with any flags and numbers."""
    parts = []
    for _ in range(draw(some.integers(1, 60))):
        ends = draw(some.permutations(["10.0.0.1", "10.0.0.2", "2001:db8::1"]))[:2]
        ports = draw(some.sampled_from([(1, 80), (80, 1), (5000, 5000), (0, 0)]))
        at = EPOCH + draw(some.sampled_from([0, 1, 3, 400, 900])) * 1000 * MS + draw(some.integers(0, 2000)) * MS
        vni = draw(some.sampled_from([-1, 0, 5]))
        if draw(some.booleans()):
            flags = draw(some.sampled_from(["S", "SA", "A", "PA", "FA", "R", "RA", "", "SFRPAU"]))
            numbers = (draw(some.integers(0, 2**32 - 1)), draw(some.integers(0, 2**32 - 1)))
            length = draw(some.integers(0, 1460))
            parts.append(tcp(at, *ends, ports, flags, *numbers, length, vni=vni, window=draw(some.integers(0, 9))))
        else:
            parts.append(udp(at, *ends, ports, draw(some.integers(0, 1400)), vni=vni))
    return np.concatenate(parts)


@settings(max_examples=60, deadline=None)
@given(traffic())
def test_it_loses_and_doubles_no_packet_whatever_the_order(packets: np.ndarray) -> None:
    found = analysed(packets)
    expected = len(packets), int(packets["ip_length"].sum())
    in_seconds = [sum(found.total(f"{name}_{side}") for side in ("client", "server")) for name in ("packets", "bytes")]
    in_sessions = [
        sum(int(found.sessions[f"{name}_{side}"].sum()) for side in ("client", "server"))
        for name in ("packets", "bytes")
    ]
    assert tuple(in_seconds) == tuple(in_sessions) == expected
    attempts = found.total("attempts")
    assert int(found.sessions["attempts"].sum()) == attempts
    verdicts = ("established", "refused", "unreachable", "unanswered", "half_open", "client_aborted")
    assert sum(found.total(name) for name in verdicts) <= attempts
    seconds = {int(time) // 10**9 for time in packets["time_ns"]}
    assert {second.t for second in found.seconds if second.dense[:, :2].any()} == seconds


def test_it_tells_hosts_apart_that_share_a_port() -> None:
    talks = [Talk(client=f"10.0.{number}.1", at_ms=number).handshake() for number in range(50)]
    found = analysed(join(*talks))
    assert len(found.sessions) == 50
    assert found.total("established") == 50
