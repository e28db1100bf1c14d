"""The reader beyond what dashboards' queries test: which rows it touches, what it keeps apart, what it forgets."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from monitors.models import Monitor, Partition
from monitors.series.definitions import definitions_of
from monitors.series.packed import folded
from monitors.series.ranking import Ranked, keeps, rank
from monitors.series.read import ReadRequest, extent, finest_kept, read
from monitors.series.slices import Slice
from tests.dashboards.samples import OTHER, Samples, cover
from tests.dashboards.traffic import CONVERSATIONS, EDITED, END, START, Traffic, edit_keys, make_traffic

BYTES = ("bytes_client", "bytes_server")


@pytest.fixture
def traffic(db: None) -> Traffic:
    return make_traffic()


def groups_of(traffic: Traffic, **words: object) -> list[Ranked]:
    slices = {(traffic.web.pk,): [Slice(10, START, END)]}
    defaults = {"by": ("client_ip",), "filter_text": "", "order": BYTES, "limit": 100}
    return rank(definitions_of([traffic.web]), slices=slices, **(defaults | words))  # type: ignore[arg-type]


def test_it_never_takes_the_total_or_other_for_a_group(traffic: Traffic) -> None:
    found = groups_of(traffic)
    assert {group.keys["client_ip"] for group in found} == {keys["client_ip"] for keys in CONVERSATIONS}
    assert all(member[1] not in (0, 1) for group in found for member in group.members)
    request = ReadRequest((traffic.web.pk,), BYTES, START, END, 10, by=("client_ip",))
    result = read(request)
    shown = sum(float(result.whole[key].sum()) for key in BYTES)  # type: ignore[union-attr]
    assert shown == traffic.bytes_of() - traffic.bytes_of(8)


def test_it_leaves_copies_out_unless_the_vni_is_asked_for(traffic: Traffic) -> None:
    monitor = Monitor.objects.create(name="vnis", keys=["vni", "is_copy"], resolution=10)
    samples = Samples(monitor)
    samples.put(START, traffic.nodes[0], {"vni": 1, "is_copy": False}, {"bytes_client": 10})
    samples.put(START, traffic.nodes[0], {"vni": 2, "is_copy": True}, {"bytes_client": 10})
    samples.write()
    slices = {(monitor.pk,): [Slice(10, START, END)]}
    assert [group.rank for group in rank(definitions_of([monitor]), ("vni",), "", slices, BYTES, 10)] == [10, 10]
    primaries = rank(definitions_of([monitor]), (), "", slices, BYTES, 10)
    assert [group.rank for group in primaries] == [10]


@pytest.fixture
def edited(traffic: Traffic) -> Traffic:
    edit_keys(traffic)
    return traffic


def test_it_keeps_the_two_sides_of_a_changed_definition_apart(edited: Traffic) -> None:
    slices = {(edited.web.pk,): [Slice(10, START, END + 40)]}
    both = rank(definitions_of([edited.web]), ("client_ip",), "", slices, BYTES, 100)
    mine = [group for group in both if group.keys["client_ip"] == "10.0.0.1"]
    assert [(len(group.members), group.since, group.until) for group in mine] == [(1, 0, EDITED), (1, EDITED, None)]
    assert len(both) == len(CONVERSATIONS) + 1


def test_it_says_nothing_of_the_time_in_which_a_definition_did_not_hold(edited: Traffic) -> None:
    result = read(ReadRequest((edited.web.pk,), BYTES, END - 20, END + 40, 10, by=("client_ip",)))
    rows = {
        (group["client_ip"], until): n for n, (group, until) in enumerate(zip(result.groups, result.until, strict=True))
    }
    blind, partial = (array.reshape(len(rows), -1) for array in (result.blind, result.partial))
    old, new = rows["10.0.0.1", EDITED], rows["10.0.0.1", None]
    # Rows of the present definition that lie before it was made were fetched after it.
    assert blind[new].tolist() == [True, True, True, True, False, False]
    assert blind[old].tolist() == [False, False, False, False, False, True]
    assert partial[new].tolist() == partial[old].tolist() == [False, False, False, False, True, False]
    assert result.seconds.reshape(len(rows), -1)[old].tolist() == [10, 10, 10, 10, 10, 0]


def test_it_leaves_out_a_definition_that_cannot_answer(edited: Traffic) -> None:
    edited.web.keys = ["client_ip", "server_port"]
    edited.web.save()
    for words in ({"by": ("server_port",)}, {"filter": "not server port 80"}):
        result = read(ReadRequest((edited.web.pk,), BYTES, START, END + 40, 10, **words))  # type: ignore[arg-type]
        assert result.until == [EDITED] * len(result.groups)
        assert float(sum(result.whole[key].sum() for key in BYTES)) == edited.bytes_of() - edited.bytes_of(8)  # type: ignore[union-attr]


def test_it_ranks_alike_whether_groups_are_folded_or_stand_for_themselves(traffic: Traffic) -> None:
    all_keys = groups_of(traffic, by=tuple(traffic.web.keys), limit=3)
    folded_keys = groups_of(traffic, by=tuple(traffic.web.keys), limit=3, filter_text="tcp")
    assert [(group.keys, group.rank) for group in all_keys] == [(group.keys, group.rank) for group in folded_keys]
    assert len(all_keys) == 3


def test_it_adds_up_what_is_wanted_of_the_whole_range_only(traffic: Traffic) -> None:
    timed = ("response_time", "response_time_count", "response_time_min", "response_time_max")
    words = {"start": START, "end": END, "step": 60, "by": ("client_ip",)}
    every = read(ReadRequest((traffic.web.pk,), (*BYTES, *timed), **words))  # type: ignore[arg-type]
    once = read(ReadRequest((traffic.web.pk,), (), whole=(*BYTES, *timed), **words))  # type: ignore[arg-type]
    assert once.columns == {}
    for key in (*BYTES, *timed[1:]):
        np.testing.assert_array_equal(once.whole[key], every.whole[key])
    np.testing.assert_array_equal(once.whole["response_time"].pairs, every.whole["response_time"].pairs)  # type: ignore[union-attr]


def test_it_marks_steps_in_which_a_group_may_hide_in_other(traffic: Traffic) -> None:
    samples = Samples(traffic.web)
    samples.put(END, traffic.nodes[0], CONVERSATIONS[0], {"bytes_client": 5})
    samples.put(END + 10, traffic.nodes[0], OTHER, {"bytes_client": 5})
    samples.put(END + 20, traffic.nodes[0], CONVERSATIONS[1], {"bytes_client": 5})
    samples.write()
    cover(traffic.web, traffic.nodes[0], (START, END + 30))
    result = read(ReadRequest((traffic.web.pk,), BYTES, END, END + 30, 10, by=("client_ip",)))
    hidden = dict(zip((group["client_ip"] for group in result.groups), result.folded.tolist(), strict=True))
    assert hidden == {"10.0.0.1": [False, True, False], "10.0.0.2": [False, True, False]}
    assert result.other_share == pytest.approx(1 / 3)


def test_it_finds_where_the_data_is_in_any_tier(traffic: Traffic) -> None:
    assert extent([traffic.web]) == (START, END)
    assert extent([traffic.quiet]) is None
    assert extent([traffic.web, traffic.quiet]) == (START, END)


def test_it_knows_the_finest_step_that_retention_left(traffic: Traffic) -> None:
    assert finest_kept([traffic.web], START, END) == 10
    moment = datetime.fromtimestamp(START, UTC)
    Partition.objects.filter(step=10).update(dropped=moment)
    assert finest_kept([traffic.web], START, END) == 60
    assert finest_kept([traffic.web], END + 90_000, END + 91_000) == 10
    assert finest_kept([traffic.quiet], START, END) == 60


def test_it_reads_nothing_for_a_monitor_that_never_pulled(traffic: Traffic) -> None:
    result = read(ReadRequest((traffic.quiet.pk,), BYTES, START, END, 60))
    assert result.blind.all()
    assert result.complete_until is None


def test_it_takes_extremes_of_what_there_is() -> None:
    columns = {"response_time_min": np.array([5.0, np.nan, 3.0]), "response_time_max": np.array([5.0, np.nan, 9.0])}
    owner = np.array([0, 1, 0])
    found = folded(columns, owner, 3)  # type: ignore[arg-type]
    np.testing.assert_array_equal(found["response_time_min"], [3, np.nan, np.nan])
    np.testing.assert_array_equal(found["response_time_max"], [9, np.nan, np.nan])


@pytest.mark.parametrize(
    ("keys", "key", "kept"),
    [
        (["client_ip"], "client_ip", True),
        (["client_ip"], "client_net", True),
        (["client_net"], "client_ip", False),
        (["vni"], "is_copy", True),
        ([], "server_port", False),
    ],
)
def test_it_knows_which_keys_answer(keys: list[str], key: str, kept: bool) -> None:
    assert keeps(keys, key) is kept


def test_it_is_covered_by_every_node_of_a_row(traffic: Traffic) -> None:
    cover(traffic.web, traffic.nodes[1], (START, START + 300))
    by_node = read(ReadRequest((traffic.web.pk,), BYTES, START, END, 10, by=("node",)))
    blind = dict(zip((group["node"] for group in by_node.groups), by_node.blind.reshape(2, -1), strict=True))
    assert not blind[traffic.nodes[0].pk].any()
    assert blind[traffic.nodes[1].pk][30:].all()
