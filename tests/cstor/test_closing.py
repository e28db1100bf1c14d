"""What the analysis closes reaches the store once and in order, with and without a thread of its own."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from cstor.buckets.second import ClosedSecond
from cstor.closing import Closing, Finished
from cstor.engine import Engine
from cstor.flows.analysis import AnalysisConfig
from cstor.stages import Stages
from cstor.store.layout import SECOND_NS, open_store
from cstor.store.sequence import Sequence
from cstor.store.series import SeriesReader
from cstor.store.writer import StoreWriter
from tests.cstor.search.stores import ethernet, tcp
from wire.packets.batch import batch_of

T = 1_700_000_000


def feed(engine: Engine, seconds: int) -> None:
    frame = ethernet(tcp("10.0.0.1", "10.0.0.2", 5000, 80, size=10))
    for second in range(seconds):
        engine.take(batch_of([frame] * 3, [(T + second) * SECOND_NS + n for n in range(3)]))


def feed_all(engine: Engine) -> None:
    feed(engine, 200)
    engine.finish()


@pytest.mark.parametrize("threaded", [False, True])
def test_seconds_come_in_order_and_all_are_stored(tmp_path: Path, threaded: bool) -> None:
    store = StoreWriter(open_store(tmp_path), Sequence(tmp_path), live=False)
    seen: list[ClosedSecond] = []
    engine = Engine(AnalysisConfig(), store, None, seen.append, threaded=threaded)
    feed(engine, 20)
    engine.finish()
    assert [second.t for second in seen] == list(range(T, T + 20))
    assert engine.sessions == 1
    store.close()
    answer = SeriesReader(tmp_path).answer({"metrics": ["packets_client"]})
    assert answer.head.complete_until >= T + 20


def test_what_went_wrong_aside_is_raised_by_the_next_hand_over() -> None:
    def refuse(second: ClosedSecond) -> None:
        raise OSError("disk")

    engine = Engine(AnalysisConfig(), None, None, refuse, threaded=True)
    with pytest.raises(OSError, match="disk"):
        feed_all(engine)
    engine.closing.wait()  # and the thread ends all the same


def test_nothing_is_handed_over_for_nothing() -> None:
    closing = Closing(None, None, Stages(), threaded=True)
    for _ in range(100):
        closing.take(Finished([], [], None))
    closing.wait()
    closing.wait()


def test_a_live_capture_waits_for_no_store_and_is_told_when_it_has_all() -> None:
    order: list[object] = []
    held_up = threading.Event()

    def slow(second: ClosedSecond) -> None:
        held_up.wait()
        order.append(second.t)

    engine = Engine(AnalysisConfig(live=True), None, None, slow, threaded=True)
    engine.closing.after(lambda: order.append("nothing was closed yet"))
    feed(engine, 40)  # more than an ingest's queue holds
    engine.closing.after(lambda: order.append("all"))
    assert order == ["nothing was closed yet"]
    held_up.set()
    engine.closing.wait()
    assert order == ["nothing was closed yet", *range(T, T + 38), "all"]
