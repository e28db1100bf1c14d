"""The clock, closed seconds, bounded memory: what an Analysis promises whatever comes in."""

from __future__ import annotations

import numpy as np
import pytest

from cstor.buckets.second import DENSE
from cstor.flows.analysis import Analysis, AnalysisConfig, warm_up
from cstor.flows.analyze import analyze_batch
from cstor.flows.state import CHUNK
from cstor.flows.timers import end_all, evict, expire
from tests.cstor.flows.reading import Found, analysed
from tests.packets import EPOCH, MS, Talk, join, tcp, udp
from wire.packets.layout import PACKET, SYN, TCP, empty_packet

ENDS = ("10.0.0.1", "10.0.0.2")
SECOND = EPOCH // 10**9


def at_seconds(*times: float) -> np.ndarray:
    """One UDP packet of a flow at each of these times, in this order."""
    return np.concatenate([udp(EPOCH + round(time * 1e9), *ENDS, (9000, 53)) for time in times])


def flood(count: int, spread_ns: int = 1000, first: int = 0) -> np.ndarray:
    """SYNs of as many distinct 5-tuples."""
    packets = np.repeat(empty_packet(), count).astype(PACKET)
    number = np.arange(first, first + count)
    packets["time_ns"] = EPOCH + number * spread_ns
    packets["version"], packets["protocol"], packets["flags"], packets["complete"] = 4, TCP, SYN, 1
    packets["src_lo"], packets["dst_lo"] = 0xFFFF0A000000 + number // 50_000, 0xFFFF0A630001
    packets["src_port"], packets["dst_port"] = 1024 + number % 50_000, 80
    packets["ip_length"], packets["payload_length"] = 40, 0
    return packets


def test_it_closes_a_second_when_the_one_after_the_next_begins() -> None:
    analysis = Analysis()
    analysis.feed(at_seconds(0, 0.5, 1.9))
    assert analysis.take_seconds() == []
    analysis.feed(at_seconds(2))
    assert [second.t for second in analysis.take_seconds()] == [SECOND]
    analysis.advance(EPOCH + 3_000 * MS)
    assert [second.t for second in analysis.take_seconds()] == [SECOND + 1]
    analysis.finish()
    assert [second.t for second in analysis.take_seconds()] == [SECOND + 2]


@pytest.mark.parametrize("first", [0, 1])
def test_seconds_that_close_at_once_come_in_order(first: int) -> None:
    silence, end = Analysis(), Analysis()
    for analysis in (silence, end):
        analysis.feed(at_seconds(first, first + 1))
    silence.advance(EPOCH + 10_000 * MS)
    end.finish()
    for analysis in (silence, end):
        assert [second.t - SECOND for second in analysis.take_seconds()] == [first, first + 1]


def test_it_opens_a_second_again_for_late_packets() -> None:
    analysis = Analysis()
    analysis.feed(at_seconds(0, 5, 0.5, 5.1))
    analysis.finish()
    seconds = analysis.take_seconds()
    assert sorted(second.t - SECOND for second in seconds) == [0, 0, 5]
    assert client_packets(seconds) == 4


def client_packets(seconds: list) -> int:
    return sum(int(second.dense[:, DENSE.index("packets_client")].sum()) for second in seconds)


@pytest.mark.parametrize("wrong", [EPOCH + 365 * 86_400 * 10**9, 0])
def test_it_is_not_fooled_by_one_bad_time_stamp(wrong: int) -> None:
    talk = Talk().handshake().request()
    bad = udp(wrong, "10.9.9.9", "10.9.9.8", (9000, 53))
    packets = np.concatenate([talk.packets[:2], bad, talk.packets[2:]])
    found = analysed(packets)
    assert (found.total("timed_out"), found.total("established"), found.outcomes.count("active")) == (0, 1, 1)
    assert found.by_second("packets_client") == {SECOND: 3, wrong // 10**9: 1}


def test_it_recovers_when_the_first_time_stamp_was_the_bad_one() -> None:
    bad = udp(EPOCH + 10**17, "10.9.9.9", "10.9.9.8", (9000, 53))
    talk = Talk(at_ms=5000).client("S", after_ms=0)
    packets = np.concatenate([bad, at_seconds(*(number / 50 for number in range(100))), talk.packets, at_seconds(20)])
    assert analysed(packets).total("unanswered") == 1


def test_it_believes_a_silence() -> None:
    found = analysed(join(Talk().handshake(), Talk(client_port=5, at_ms=3_600_000).handshake()))
    assert found.total("timed_out") == 1
    assert found.counters["time_outliers"] == 0


@pytest.mark.parametrize(("live", "second"), [(True, 2), (False, 0)])
def test_it_keeps_closed_seconds_closed_when_it_runs_live(live: bool, second: int) -> None:
    talk = Talk().client("S", after_ms=0).server("SA", after_ms=20).client("A", after_ms=3500)
    found = analysed(talk.packets, live=live)
    assert found.by_second("handshake_rtt_server_count") == {SECOND + second: 1}


def test_it_folds_what_exceeds_the_limit_into_other_and_keeps_totals() -> None:
    packets = np.concatenate([udp(EPOCH + n, f"10.0.{n}.1", "10.1.0.1", (9000, 53), 100) for n in range(30)])
    found = analysed(packets, max_rows=10)
    (second,) = found.seconds
    assert (len(second.keys), int(second.keys["is_other"].sum())) == (11, 1)
    other = second.keys[second.keys["is_other"] == 1][0]
    assert (other["client_lo"], other["server_port"], other["vni"]) == (0, 0, -1)
    assert found.total("packets_client") == 30
    assert found.counters["rows_folded"] == 20


def test_it_survives_a_flood_of_syns_in_bounded_memory_and_keeps_what_is_established() -> None:
    analysis = Analysis(AnalysisConfig(max_flows=2 * CHUNK))
    talks = [Talk(client="10.7.0.1", client_port=port).handshake(0.001, 0.001) for port in range(1, 20)]
    analysis.feed(join(*talks))
    sessions = packets = 0
    for first in range(0, 200_000, CHUNK):
        analysis.feed(flood(CHUNK, first=first + 100))
        packets += CHUNK
        taken = analysis.take_sessions()
        sessions += len(taken.rows) if taken else 0
        assert analysis.counters()["flow_rows"] <= 2 * CHUNK
    analysis.feed(join(*(talk.wait(1000).request().close() for talk in talks))[-4 * len(talks) :])
    analysis.finish()
    found = Found(analysis)
    assert found.total("closed") == len(talks)
    assert sessions + len(found.sessions) == packets + len(talks)
    assert analysis.counters()["evicted"] > 100_000


def test_it_gives_back_all_memory_of_ended_flows() -> None:
    analysis = Analysis()
    for round_number in range(6):
        analysis.feed(flood(20_000, first=0) if round_number == 0 else shifted(flood(20_000), round_number * 4000))
    analysis.advance(EPOCH + 30_000 * 1000 * MS)
    counters = analysis.counters()
    assert (counters["flows"], counters["conversations"]) == (0, 0)
    assert counters["flow_rows"] <= 65_536


def shifted(packets: np.ndarray, seconds: float) -> np.ndarray:
    packets["time_ns"] += round(seconds * 1e9)
    return packets


def test_it_does_the_same_whatever_the_size_of_the_batches() -> None:
    talks = [Talk(client_port=port, at_ms=37 * port).handshake().request().response(3000).close() for port in range(60)]
    packets = join(*talks)
    whole = analysed(packets)
    analysis = Analysis()
    for start in range(0, len(packets), 7):
        analysis.feed(packets[start : start + 7])
    analysis.finish()
    pieces = Found(analysis)
    assert [second.t for second in pieces.seconds] == [second.t for second in whole.seconds]
    for one, other in zip(pieces.seconds, whole.seconds, strict=True):
        assert np.array_equal(one.dense, other.dense)
        assert np.array_equal(one.cells, other.cells)
        assert np.array_equal(one.bins, other.bins)
    assert np.array_equal(pieces.sessions, whole.sessions)


def test_it_refuses_limits_that_cannot_work() -> None:
    with pytest.raises(ValueError, match="max_flows is 5"):
        Analysis(AnalysisConfig(max_flows=5))
    with pytest.raises(ValueError, match="max_rows is 0"):
        Analysis(AnalysisConfig(max_rows=0))


def test_it_compiles_each_kernel_once() -> None:
    analysed(tcp(EPOCH, *ENDS, (5000, 80), "S", 1, 0))
    for kernel in (analyze_batch, expire, evict, end_all):
        assert len(getattr(kernel, "signatures", [])) <= 1


def test_it_warms_up_every_kernel() -> None:
    warm_up()
    for kernel in (analyze_batch, expire, evict, end_all):
        assert len(getattr(kernel, "signatures", [()])) == 1
