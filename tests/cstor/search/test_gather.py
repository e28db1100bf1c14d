from __future__ import annotations

import numpy as np

from cstor.search.gather import chosen_frames, in_time_order
from wire.packets.batch import batch_of
from wire.packets.layout import LINK_ETHERNET, LINK_RAW


def test_it_copies_the_chosen_frames_close_together() -> None:
    batch = batch_of([b"aa", b"", b"cccc", b"d"], [1, 2, 3, 4], [20, 30, 40, 50])
    kept = chosen_frames(batch, np.array([True, False, True, True]))
    batch.buffer[:] = 0
    assert [kept.frame(i) for i in range(kept.packets)] == [b"aa", b"cccc", b"d"]
    assert kept.time_ns.tolist() == [1, 3, 4]
    assert kept.wire_length.tolist() == [20, 40, 50]
    assert len(kept.buffer) == 7


def test_it_orders_by_time_and_keeps_the_order_of_equal_times() -> None:
    first = batch_of([b"a", b"b", b"c"], [10, 30, 30])
    second = batch_of([b"x", b"y"], [30, 5])
    (merged,) = in_time_order([first, second])
    assert [merged.frame(i) for i in range(5)] == [b"y", b"a", b"b", b"c", b"x"]


def test_it_splits_where_the_link_type_changes() -> None:
    first = batch_of([b"a", b"b"], [1, 4], link_type=LINK_ETHERNET)
    second = batch_of([b"x", b"y"], [2, 3], link_type=LINK_RAW)
    parts = list(in_time_order([first, second]))
    assert [part.link_type for part in parts] == [LINK_ETHERNET, LINK_RAW, LINK_ETHERNET]
    assert [[part.frame(i) for i in range(part.packets)] for part in parts] == [[b"a"], [b"x", b"y"], [b"b"]]
