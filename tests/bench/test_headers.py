"""Traffic of very many connections: each opened once, all packets in order, whatever the number of connections."""

from __future__ import annotations

from itertools import chain

from bench.headers import Connections
from bench.worker import connections
from cstor.engine import Engine
from cstor.flows.analysis import AnalysisConfig
from wire.packets.layout import ACK, SYN


def test_it_opens_connections_and_keeps_them_in_order() -> None:
    traffic, engine = Connections(500), Engine(AnalysisConfig())
    for batch in chain(traffic.opened(), traffic.steady(4_000)):
        engine.take(batch)
    engine.analysis.finish()
    sessions = engine.analysis.take_sessions()
    assert sessions is not None
    rows = sessions.rows
    assert len(rows) == 500
    assert engine.decoder.malformed() == {}
    for name in rows.dtype.names:
        if name.startswith(("retransmi", "out_of_order", "lost", "gap", "duplicate_ack")):
            assert not rows[name].any(), name


def test_it_begins_with_handshakes_and_goes_on_with_data() -> None:
    traffic, decoder = Connections(100), Engine(AnalysisConfig()).decoder
    (batch,) = traffic.opened()
    assert [int(flags) for flags in decoder.decode(batch)["flags"][::100]] == [SYN, SYN | ACK, ACK]
    (batch,) = traffic.steady(400)
    packets = decoder.decode(batch)
    assert sorted(set(packets["payload_length"].tolist())) == [0, 300, 1448]
    assert (packets["time_ns"][1:] > packets["time_ns"][:-1]).all()


def test_it_weighs_and_times_a_steady_state() -> None:
    done = connections("300", "2000")
    assert done.packets == 2000
    assert done.cpu_s > 0
    assert done.memory_bytes <= done.peak_bytes
