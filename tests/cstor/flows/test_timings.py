"""ACK round trips, turns, windows and visibility: each rule in a conversation of a few packets."""

from __future__ import annotations

from tests.cstor.flows.reading import analysed
from tests.packets import Talk


def open_talk(**more: int) -> Talk:
    return Talk(**more).handshake(rtt_ms=20, client_ms=10)


def test_it_times_a_segment_until_the_ack_that_ends_exactly_there() -> None:
    talk = open_talk().client("PA", 100).server("A", after_ms=7).server("PA", 50, after_ms=30).client("A", after_ms=4)
    found = analysed(talk.packets)
    assert found.timing_ms("ack_rtt_server") == (1, 7.0)
    assert found.timing_ms("ack_rtt_client") == (1, 4.0)
    assert found.total("ack_rtt_server_min") == found.total("ack_rtt_server_max") == 7_000_000


def test_it_gives_one_sample_per_ack_and_none_for_segments_on_the_way() -> None:
    talk = open_talk().client("A", 100).client("A", 100).client("A", 100).server("A", after_ms=5)
    assert analysed(talk.packets).timing_ms("ack_rtt_server") == (1, 5.0)
    between = open_talk().client("A", 100).server("A", ack=1051, after_ms=5)
    assert analysed(between.packets).timing_ms("ack_rtt_server") == (0, 0)


def test_it_times_eight_segments_at_once_and_no_more() -> None:
    talk = open_talk()
    for _ in range(10):
        talk.client("A", 100)
    for count in range(1, 11):
        talk.server("A", ack=1001 + 100 * count)
    assert analysed(talk.packets).total("ack_rtt_server_count") == 8


def test_it_cancels_what_is_pending_when_a_segment_is_resent() -> None:
    talk = open_talk().client("A", 100).client("A", 100).send(0, "A", 100, seq=1101, after_ms=300)
    assert analysed(talk.server("A").packets).total("ack_rtt_server_count") == 0


def test_it_cancels_what_is_pending_at_a_gap_but_times_what_follows() -> None:
    talk = open_talk().client("A", 100).client("A", 100, lost=True).client("A", 100)
    found = analysed(talk.server("A", ack=1101).server("A", ack=1301).packets)
    assert found.timing_ms("ack_rtt_server") == (1, 2.0)


def test_it_measures_a_turn() -> None:
    talk = open_talk().request(100, think_ms=5).client("PA", 50, after_ms=3)
    talk.response(3000, think_ms=40, gap_ms=2).request(think_ms=100)
    found = analysed(talk.packets)
    assert found.timing_ms("request_transfer") == (1, 3.0)
    assert found.timing_ms("response_time") == (1, 40.0)
    assert found.timing_ms("response_transfer") == (1, 4.0)
    assert found.timing_ms("client_think") == (2, 5.0 + 102.0)
    assert found.total("turns_ambiguous") == 0


def test_it_does_not_move_the_end_of_a_request_that_is_resent() -> None:
    talk = open_talk().request(100).send(0, "PA", 100, seq=1001, after_ms=300).response(think_ms=40)
    assert analysed(talk.packets).timing_ms("response_time") == (1, 340.0)


def test_it_calls_a_response_that_does_not_cover_the_request_ambiguous() -> None:
    talk = open_talk().client("PA", 100).client("PA", 100).server("PA", 500, ack=1101, after_ms=40).client("A")
    found = analysed(talk.packets)
    assert found.timing_ms("response_time") == (0, 0)
    assert found.total("turns_ambiguous") == 1


def test_it_calls_a_request_that_did_not_wait_ambiguous() -> None:
    talk = open_talk().request(100).server("PA", 500).client("PA", 100, ack=5001).server("PA", 500).client("A")
    found = analysed(talk.packets)
    assert (found.total("response_time_count"), found.total("turns_ambiguous")) == (1, 1)


def test_it_starts_no_turn_with_a_greeting_of_the_server() -> None:
    talk = open_talk().server("PA", 30, after_ms=50).client("A").request(think_ms=9).response(think_ms=15)
    found = analysed(talk.packets)
    assert found.timing_ms("response_time") == (1, 15.0)
    assert found.timing_ms("client_think") == (1, 10.0)


def test_it_keeps_the_time_of_closed_windows_and_the_smallest_window() -> None:
    talk = Talk(window=1000).handshake(option_scale=3).request()
    talk.server("PA", 10, window=0, after_ms=10).client("A").server("A", window=200, after_ms=249)
    found = analysed(talk.packets)
    assert found.total("zero_window_time_server") == 250_000_000
    assert found.total("zero_windows_server") == 1
    assert [value for _, _, value in found.values("min_window_bytes_server")] == [0]
    assert [value for _, _, value in found.values("min_window_bytes_client")] == [8000]
    assert list(found.sessions["min_window_bytes_client"]) == [8000]


def test_it_ends_a_closed_window_with_the_connection() -> None:
    talk = open_talk().request().server("PA", 10, window=0, after_ms=10).client("A").client("R", after_ms=99)
    assert analysed(talk.packets).total("zero_window_time_server") == 100_000_000


def test_it_leaves_the_window_out_while_its_scale_is_unknown() -> None:
    talk = Talk().client("S", lost=True).server("SA", lost=True).client().request()
    assert list(analysed(talk.packets).values("min_window_bytes_client")) == []
    assert list(analysed(talk.packets).sessions["min_window_bytes_client"]) == [-1]


def test_it_counts_what_was_acknowledged_but_never_seen() -> None:
    talk = open_talk().client("A", 100).client("A", 200, lost=True).client("A", 100).server("A")
    found = analysed(talk.packets)
    assert (found.total("unseen_bytes_client"), found.total("acked_unseen_server")) == (200, 1)
    tail = open_talk().client("A", 100).client("A", 200, lost=True).server("A").client("A", 50).server("A")
    found = analysed(tail.packets)
    assert (found.total("unseen_bytes_client"), found.total("acked_unseen_server")) == (200, 2)


def test_it_takes_a_hole_back_that_is_filled_later() -> None:
    talk = open_talk().client("A", 100).client("A", 200, lost=True).client("A", 100)
    talk.send(0, "A", 200, seq=1101, after_ms=50).server("A")
    assert analysed(talk.packets).total("unseen_bytes_client") == 0


def test_it_keeps_percentiles_per_connection() -> None:
    talk = open_talk()
    for number in range(1, 101):
        talk.request(think_ms=1).response(think_ms=number)
    row = analysed(talk.packets).sessions[0]
    assert (row["response_time_count"], row["response_time_min"], row["response_time_max"]) == (100, 10**6, 10**8)
    for part, expected in (("p50", 50e6), ("p95", 95e6), ("p99", 99e6)):
        assert abs(row[f"response_time_{part}"] - expected) < 0.03 * expected
