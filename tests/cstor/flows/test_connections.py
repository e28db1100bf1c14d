"""Attempts, verdicts and ends: what packets decide, what timers decide, and in which second it is counted."""

from __future__ import annotations

import pytest

from tests.cstor.flows.reading import analysed
from tests.packets import EPOCH, MS, Talk, join, udp, unreachable

SECOND = EPOCH // 10**9
FAILURES = ("refused", "unreachable", "unanswered", "half_open", "client_aborted")


def later(seconds: float) -> int:
    return EPOCH + round(seconds * 1000 * MS)


def test_it_counts_a_whole_connection_once() -> None:
    found = analysed(Talk().handshake().request().response().close().packets)
    for name in ("attempts", "established", "closed", "syns", "syn_acks", "fins_client", "fins_server"):
        assert found.total(name) == 1, name
    assert [found.total(name) for name in FAILURES] == [0] * 5
    assert found.outcomes == ["closed"]
    assert found.histories() == ["ShADdFf"]


def test_it_counts_on_where_a_byte_of_the_row_ends() -> None:
    talk = Talk().client("S", after_ms=0)
    syn = talk.packets
    found = analysed(join(*[syn] * 300))
    assert (found.total("syns"), found.total("syn_retransmissions")) == (300, 299)
    assert (found.sessions[0]["syns"], found.sessions[0]["attempts"]) == (300, 1)


def test_it_takes_server_data_as_proof_of_a_handshake() -> None:
    talk = Talk().client("S", after_ms=0).server("SA", after_ms=20).client(lost=True).server("PA", 100)
    assert analysed(talk.packets).total("established") == 1


def test_it_takes_a_client_ack_as_proof_even_if_the_syn_ack_was_never_seen() -> None:
    talk = Talk().client("S", after_ms=0).server("SA", lost=True).client(after_ms=10).client("PA", 100)
    found = analysed(talk.packets)
    assert found.total("established") == 1
    assert found.total("one_sided") == 1


def test_it_says_refused_where_the_server_resets_the_syn() -> None:
    found = analysed(Talk().client("S", after_ms=0).server("RA", after_ms=20).packets)
    assert (found.total("refused"), found.total("resets_server"), found.outcomes) == (1, 1, ["refused"])


def test_it_does_not_take_the_reset_of_an_older_connection_as_a_refusal() -> None:
    talk = Talk().client("S", after_ms=0).server("RA", ack=999_999, after_ms=20).server("SA", after_ms=1).client()
    found = analysed(talk.packets)
    assert (found.total("refused"), found.total("established")) == (0, 1)


def test_it_says_client_aborted_where_the_client_resets_before_its_ack() -> None:
    found = analysed(Talk().client("S", after_ms=0).client("R").packets)
    assert (found.total("client_aborted"), found.outcomes) == (1, ["client_aborted"])


def test_it_says_unreachable_where_icmp_quotes_the_syn() -> None:
    syn = Talk().client("S", after_ms=0).packets
    found = analysed(join(syn, unreachable(later(0.1), "10.0.0.254", syn)))
    assert found.total("unreachable") == 1
    assert sorted(found.outcomes) == ["", "unreachable"]


def test_it_ignores_icmp_that_quotes_something_else() -> None:
    syn, other = (Talk(isn=(isn, 1)).client("S", after_ms=0).packets for isn in (1000, 2000))
    fragmentation_needed = unreachable(later(0.1), "10.0.0.254", syn, code=4)
    found = analysed(join(syn, unreachable(later(0.1), "10.0.0.254", other), fragmentation_needed))
    assert found.total("unreachable") == 0


@pytest.mark.parametrize(("after_s", "verdicts"), [(3.9, 0), (6, 1)])
def test_it_says_unanswered_after_four_seconds(after_s: float, verdicts: int) -> None:
    found = analysed(Talk().client("S", after_ms=0).packets, advance_ns=later(after_s))
    assert found.total("unanswered") == verdicts
    assert found.by_second("unanswered") == ({SECOND + 4: 1} if verdicts else {})
    assert found.outcomes == (["unanswered"] if verdicts else ["active"])


def test_it_waits_longer_for_an_answer_while_the_client_backs_off() -> None:
    talk = Talk().client("S", after_ms=0)
    for gap_s in (1, 2, 4, 8):
        talk.client("S", seq=1000, after_ms=1000 * gap_s)
    assert analysed(talk.packets, advance_ns=later(15 + 19)).total("unanswered") == 0
    found = analysed(talk.packets, advance_ns=later(15 + 21))
    assert found.by_second("unanswered") == {SECOND + 35: 1}
    assert (found.total("attempts"), found.total("syn_retransmissions")) == (1, 4)


def test_it_says_half_open_ten_seconds_after_the_syn_ack() -> None:
    talk = Talk().client("S", after_ms=0).server("SA", after_ms=20)
    assert analysed(talk.packets, advance_ns=later(9.9)).total("half_open") == 0
    found = analysed(talk.packets, advance_ns=later(11))
    assert found.by_second("half_open") == {SECOND + 10: 1}
    assert found.timing_ms("handshake_rtt_server") == (1, 20.0)


def test_it_says_timed_out_after_300_seconds_of_silence() -> None:
    talk = Talk().handshake().request().response()
    assert analysed(talk.packets, advance_ns=later(299)).total("timed_out") == 0
    found = analysed(talk.packets, advance_ns=later(302))
    assert (found.total("timed_out"), found.outcomes) == (1, ["timed_out"])


def test_it_runs_timers_on_the_time_of_the_packets() -> None:
    later_traffic = (
        udp(later(600), "10.9.9.9", "10.9.9.8", (5000, 53)),
        udp(later(601), "10.9.9.9", "10.9.9.8", (5000, 53)),
    )
    found = analysed(join(Talk().client("S", after_ms=0), *later_traffic))
    assert found.by_second("unanswered") == {SECOND + 4: 1}


def test_it_stops_timers_at_the_end_of_a_file() -> None:
    half, opened = Talk(client_port=1).client("S", after_ms=0), Talk(client_port=2).handshake()
    found = analysed(join(half, opened))
    assert found.outcomes == ["active", "active"]
    assert sum(found.total(name) for name in FAILURES) == 0


@pytest.mark.parametrize(("side", "outcome"), [(0, "reset_by_client"), (1, "reset_by_server")])
def test_it_says_who_reset_an_open_connection(side: int, outcome: str) -> None:
    found = analysed(Talk().handshake().request().send(side, "RA").packets)
    assert (found.total(outcome), found.outcomes) == (1, [outcome])


def test_it_starts_a_new_connection_at_another_isn() -> None:
    first = Talk().handshake().request().response().close()
    second = Talk(isn=(90_000, 7_000), at_ms=500).handshake(rtt_ms=4).request().response().close()
    found = analysed(join(first, second))
    for name in ("attempts", "established", "closed"):
        assert found.total(name) == 2, name
    assert found.outcomes == ["closed", "closed"]
    assert [row["handshake_rtt_server_sum"] for row in found.sessions] == [20 * MS, 4 * MS]
    assert found.sessions["retransmissions_client"].sum() == 0


def test_it_decides_an_attempt_that_another_attempt_replaces() -> None:
    found = analysed(join(Talk().client("S", after_ms=0), Talk(isn=(7, 8), at_ms=100).client("S", after_ms=0)))
    assert (found.total("attempts"), found.total("unanswered")) == (2, 1)
    assert found.outcomes == ["unanswered", "active"]


def test_it_turns_the_roles_of_a_port_that_is_used_the_other_way_round() -> None:
    first = Talk(client_port=5000, server_port=6000).handshake().close()
    second = Talk("10.0.0.2", "10.0.0.1", 6000, 5000, isn=(77, 88), at_ms=500).handshake()
    found = analysed(join(first, second))
    assert [row["server_port"] for row in found.sessions] == [6000, 5000]


def test_it_counts_a_connection_that_is_seen_in_mid_stream() -> None:
    found = analysed(Talk().client("S", lost=True).server("SA", lost=True).client().request().response().packets)
    assert (found.total("missing_syn"), found.total("attempts"), found.total("established")) == (1, 0, 0)
    assert found.outcomes == ["active"]


def test_it_hands_over_a_closed_connection_ten_seconds_later_and_late_packets_on_their_own() -> None:
    talk = Talk().handshake().close()
    assert len(analysed(talk.packets, finish=False, advance_ns=later(9)).sessions) == 0
    assert len(analysed(talk.packets, finish=False, advance_ns=later(12)).sessions) == 1
    stray = talk.send(1, "FA", seq=5001, after_ms=20_000)
    found = analysed(stray.packets)
    assert [row["packets_server"] for row in found.sessions] == [2, 1]
    assert found.total("retransmissions_server") == 1  # it is still judged by the TCP state of the connection


def test_it_tells_how_many_connections_are_open_at_the_end_of_a_second() -> None:
    talks = [Talk(client_port=port, at_ms=port).handshake(1, 1) for port in range(1, 5)]
    talks[0].wait(1000).close()
    for talk in talks[1:]:
        talk.wait(1000).request()
    found = analysed(join(*talks))
    assert found.by_second("active_seconds") == {SECOND: 4, SECOND + 1: 3}
    assert found.by_second("flow_seconds") == {SECOND: 4, SECOND + 1: 4}


def test_it_gives_other_protocols_no_outcome() -> None:
    found = analysed(udp(EPOCH, "10.0.0.1", "10.0.0.2", (5353, 53)))
    assert found.outcomes == [""]
    assert found.sessions[0]["packets_client"] == 1
