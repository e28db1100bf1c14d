"""Series from memory, by numbers of conversations and by what was added up before, equal those of DuckDB from files."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cstor.metrics.registry import METRICS
from cstor.store import live, memory, partials
from cstor.store.answer import as_json
from cstor.store.answer_text import as_text
from cstor.store.layout import open_store
from cstor.store.query import KEYS
from cstor.store.sequence import Sequence
from cstor.store.series import SeriesReader
from cstor.store.writer import StoreWriter
from tests.cstor.seconds import row, second

T = 1_700_000_400
SECONDS = 47
HOSTS = [f"10.0.{n // 8}.{n % 8}" for n in range(40)] + [f"2001:db8:{n}::{n}" for n in range(6)]

hosts = st.sampled_from([*HOSTS, "10.99.0.1"])
ports = st.sampled_from([22, 80, 443, 5353])
leaf = st.one_of(
    st.builds("{} {}".format, st.sampled_from(["host", "src host", "client host", "server host", "not host"]), hosts),
    st.builds("{} {}".format, st.sampled_from(["port", "server port", "not server port"]), ports),
    st.builds("net 10.0.{}.0/24".format, st.integers(0, 5)),
    st.sampled_from(["tcp", "udp", "ip6", "ip", "vni 7", "vni 8", "vlan 5", "vlan", "client net 2001:db8::/32"]),
)
filters = st.one_of(
    st.just(""), leaf, st.builds("{} and {}".format, leaf, leaf), st.builds("({}) or not ({})".format, leaf, leaf)
)
questions = st.fixed_dictionaries(
    {
        "filter": filters,
        "by": st.lists(st.sampled_from(KEYS), max_size=3, unique=True),
        "step": st.sampled_from([1, 5, 10, 60]),
        "limit": st.sampled_from([0, 1, 3, 20, 1000]),
        "encoding": st.sampled_from(["lists", "packed"]),
        "points": st.sampled_from(["primary", "all"]),
        "totals": st.booleans(),
        "metrics": st.one_of(st.just([]), st.lists(st.sampled_from(list(METRICS)), max_size=4)),
        "order": st.sampled_from([[], ["bytes"], ["failures", "response_time"], ["packets", "handshake_rtt", "syns"]]),
        "start": st.integers(0, SECONDS),
        "length": st.integers(0, SECONDS),
    }
)


def random_second(chance: random.Random, t: int) -> Any:
    rows = []
    for _ in range(chance.randrange(60)):
        values: dict[str, Any] = {"packets_client": 1, "max_packet_bytes_client": chance.randrange(60, 1500)}
        if chance.random() < 0.9:
            values["bytes_client"] = chance.choice([60, 60, chance.randrange(1, 10**10)])
        if chance.random() < 0.3:
            values["ack_rtt_server"] = [chance.randrange(10**9) for _ in range(chance.randrange(1, 4))]
        if chance.random() < 0.3:
            values["response_time"] = [chance.randrange(10**10) for _ in range(chance.randrange(1, 4))]
        if chance.random() < 0.2:
            values |= {"refused": 1, "syns": 2, "min_window_bytes_client": chance.randrange(3), "burst_bytes": 7}
        ends = (
            chance.choice(HOSTS),
            chance.choice(HOSTS[:9]),
            chance.choice([22, 80, 443, 5353]),
            chance.choice([6, 17]),
        )
        tags = {"vni": chance.choice([-1, 7, 8]), "vlan": chance.choice([-1, -1, 5]), "is_copy": chance.random() < 0.2}
        rows.append(row(*ends, **tags, **values))
    if chance.random() < 0.3:
        rows.append(row("::", "::", 0, 0, is_other=1, bytes_client=chance.randrange(9999), syns=1))
    return second(t, *rows)


class Both:
    """The same seconds in a store of files, and in one of live logs; and half and half."""

    def __init__(self, root: Path) -> None:
        chance = random.Random(11)
        seconds = [random_second(chance, t) for t in range(T, T + SECONDS)]
        seconds += [random_second(chance, T + 20), random_second(chance, T + 3)]  # late ones: the second comes again
        self.writers = []
        self.readers = []
        for name, filed in (("files", len(seconds)), ("memory", 0), ("both", 25)):
            open_store(root / name)
            writer = StoreWriter(root / name, Sequence(root / name), live=True)
            writer.add_seconds(seconds[:filed])
            writer.rotate()
            writer.flush()
            for log in (root / name / "live").glob("*.log"):
                log.unlink()
            writer.add_seconds(seconds[filed:])
            self.writers.append(writer)
            self.readers.append(SeriesReader(root / name))

    def ask(self, question: dict[str, Any]) -> list[dict[str, Any]]:
        answers = [reader.answer(question) for reader in self.readers]
        found = [as_json(answer) for answer in answers]
        assert [json.loads(as_text(answer)) for answer in answers] == json.loads(json.dumps(found))
        return [{key: one[key] for key in ("columns", "floor", "groups")} for one in found]


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    made = Both(tmp_path_factory.mktemp("both"))
    yield made
    for writer in made.writers:
        writer.close()


@given(question=questions, keep=st.lists(st.tuples(hosts, ports), max_size=3))
@settings(deadline=None, max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_it_answers_as_duckdb_does(both: Both, question: dict[str, Any], keep: list[tuple[str, int]]) -> None:
    start, length, step = question.pop("start"), question.pop("length"), question["step"]
    question["from"] = (T + start) // step * step
    question["to"] = (T + start + length + step) // step * step
    if "client_ip" in question["by"] and len(question["by"]) == 1:
        question["keep"] = [{"client_ip": host} for host, _ in keep]
    from_files, from_memory, from_both = both.ask(question)
    assert from_memory == from_files
    assert from_both == from_files
    again = both.ask(question)[1]
    assert again == from_memory


def test_it_adds_up_in_pieces_where_rows_are_many(both: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    question = {"by": ["client_ip", "server_ip", "server_port"], "limit": 1000, "step": 10, "from": T, "to": T + 50}
    whole = both.ask(question)[1]
    for slots in (1, 7, 64):
        monkeypatch.setattr(memory, "MAX_SLOTS", slots)
        assert both.ask(question)[1] == whole
        assert both.ask({**question, "limit": 3})[1] == both.ask({**question, "limit": 3})[0]


def test_it_remembers_only_so_many_bytes(both: Both) -> None:
    reader = both.readers[1]
    small = reader._partials = partials.Partials(max_bytes=20_000)
    for host in HOSTS:
        reader.answer({"filter": f"host {host}", "from": T, "to": T + 50})
    assert small.bytes <= 20_000


def test_it_forgets_conversations_that_no_held_second_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "FULL_DIRECTORY", 50)
    open_store(tmp_path)
    writer = StoreWriter(tmp_path, Sequence(tmp_path), live=True)
    tail = live.LiveTail(tmp_path)
    reader = SeriesReader(tmp_path, tail)
    sizes = []
    for number in range(6):
        t = T + 60 * number
        writer.add_seconds([second(t, *(row(f"10.{number}.0.{n}", "10.9.9.9", bytes_client=n) for n in range(40)))])
        writer.rotate()
        writer.flush()
        answer = reader.answer({"by": ["client_ip"], "from": t, "to": t + 1, "metrics": ["bytes_client"]})
        assert int(answer.rows.scalars["bytes_client"].sum()) == sum(range(40))
        sizes.append(len(tail.read().directory))
    assert max(sizes) <= 200
    whole = reader.answer({"from": T, "to": T + 360, "step": 360 // 6, "metrics": ["bytes_client"]})
    assert np.array_equal(whole.rows.scalars["bytes_client"], [sum(range(40))] * 6)
