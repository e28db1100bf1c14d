"""Handshake round trips: both halves, their sum, Karn's rule, roles."""

from __future__ import annotations

from tests.cstor.flows.reading import analysed
from tests.packets import EPOCH, Talk, join, tcp

SECOND = EPOCH // 10**9


def test_it_measures_both_halves_and_their_sum() -> None:
    found = analysed(Talk().handshake(rtt_ms=20, client_ms=10).packets)
    assert found.timing_ms("handshake_rtt_server") == (1, 20.0)
    assert found.timing_ms("handshake_rtt_client") == (1, 10.0)
    assert found.timing_ms("handshake_rtt") == (1, 30.0)
    assert found.timing_ms("connect_time") == (1, 30.0)
    assert found.sessions[0]["handshake_rtt_sum"] == 30_000_000


def test_it_gives_no_round_trip_where_the_syn_was_resent_but_says_how_long_the_user_waited() -> None:
    talk = Talk().client("S", after_ms=0).client("S", seq=1000, after_ms=1000)
    found = analysed(talk.server("SA", after_ms=20).client(after_ms=10).packets)
    assert found.timing_ms("handshake_rtt_server") == (0, 0)
    assert found.timing_ms("handshake_rtt_client") == (1, 10.0)
    assert found.timing_ms("handshake_rtt") == (0, 0)
    assert found.timing_ms("connect_time") == (1, 1030.0)
    assert found.total("syn_retransmissions") == 1
    assert found.total("attempts") == 1


def test_it_gives_no_round_trip_where_the_syn_ack_was_resent() -> None:
    talk = Talk().client("S", after_ms=0).server("SA", after_ms=20).server("SA", seq=5000, ack=1001, after_ms=500)
    found = analysed(talk.client(after_ms=10).packets)
    for timing in ("handshake_rtt_server", "handshake_rtt_client", "handshake_rtt"):
        assert found.timing_ms(timing) == (0, 0)
    assert found.timing_ms("connect_time") == (1, 530.0)
    assert found.total("syn_acks") == 2


def test_it_needs_the_syn_ack_to_acknowledge_the_syn() -> None:
    talk = Talk().client("S", after_ms=0).server("SA", ack=777, after_ms=20).client(after_ms=10)
    found = analysed(talk.packets)
    assert found.timing_ms("handshake_rtt_server") == (0, 0)
    assert found.timing_ms("handshake_rtt_client") == (1, 10.0)


def test_it_measures_the_server_side_of_an_attempt_that_the_client_gave_up() -> None:
    found = analysed(Talk().client("S", after_ms=0).server("SA", after_ms=20).client("R", after_ms=1).packets)
    assert found.timing_ms("handshake_rtt_server") == (1, 20.0)
    assert found.outcomes == ["client_aborted"]


def test_it_counts_the_server_side_in_the_second_of_the_syn_ack() -> None:
    talk = Talk(at_ms=500).client("S", after_ms=0).server("SA", after_ms=20).client(after_ms=900)
    found = analysed(talk.packets)
    assert found.by_second("handshake_rtt_server_count") == {SECOND: 1}
    assert found.by_second("handshake_rtt_client_count") == {SECOND + 1: 1}


def test_it_takes_a_round_trip_of_nothing_as_a_value() -> None:
    found = analysed(Talk().handshake(rtt_ms=0, client_ms=0).packets)
    assert found.timing_ms("handshake_rtt") == (1, 0.0)
    assert found.bins("handshake_rtt") == {0: 1}


def test_it_drops_and_counts_a_negative_duration() -> None:
    found = analysed(Talk().client("S", after_ms=0).server("SA", after_ms=-5).client(after_ms=10).packets)
    assert found.timing_ms("handshake_rtt_server") == (0, 0)
    assert found.total("timing_errors") == 1
    assert found.counters["timing_errors"] == 1


def test_it_takes_the_sender_of_a_syn_ack_as_the_server_even_if_it_is_seen_first() -> None:
    talk = Talk(client_port=443, server_port=50000)
    talk.client("S", lost=True).server("SA", after_ms=20).client(after_ms=10).client("PA", 10)
    found = analysed(talk.packets)
    session = found.sessions[0]
    assert (session["client_port"], session["server_port"], session["role_guessed"]) == (443, 50000, 0)
    assert found.timing_ms("handshake_rtt_client") == (1, 10.0)
    assert found.histories()[0].startswith("^h")


def test_it_guesses_that_the_lower_port_serves_in_mid_stream_until_a_syn_proves_otherwise() -> None:
    guessed = analysed(tcp(EPOCH, "10.0.0.1", "10.0.0.2", (80, 50000), "A", 1, 1, 10)).sessions[0]
    assert (guessed["server_port"], guessed["role_guessed"]) == (80, 1)
    late_syn_ack = join(
        tcp(EPOCH, "10.0.0.1", "10.0.0.2", (80, 50000), "A", 101, 501, 10),
        tcp(EPOCH + 1000, "10.0.0.2", "10.0.0.1", (50000, 80), "SA", 500, 101),
    )
    found = analysed(late_syn_ack)
    corrected = found.sessions[0]
    assert (corrected["server_port"], corrected["client_port"], corrected["role_guessed"]) == (50000, 80, 0)
    assert corrected["packets_client"] == 1
