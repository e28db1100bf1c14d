"""Chaos: parts of a running chain are killed at random, then every number of the console is held against the nodes'.

The chain is that of `make run`; supervisor and `cclear.services` bring the dead back. Afterwards, for every monitor,
node and base: each second of the base tier equals what the node itself answers, each coarser tier equals the fold of
the base tier, and what is covered is all that the node has.
"""

from __future__ import annotations

import base64
import json
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psutil
import psycopg2
import requests

from cclear.services.postgres import Postgres
from cstor.metrics.columns import BASES, column_of
from cstor.metrics.histogram import unpack
from monitors.fields import from_multirange
from monitors.intervals import Intervals, clip, normalized, subtract, union
from monitors.series.tiers import TOTAL_GROUP, table_of, tiers_of
from tests.chain import Chain

SUBJECTS = {"network_health": "conversations", "capture_health": "node", "links": "points"}
# Bases that add up over groups as over anything else, to see that groups and `other` make up the total.
ADDED = ("packets_client", "packets_server", "bytes_client", "bytes_server")
ASKED_S = 600
SETTLE_S = 180


class Chaos:
    """Kills one part after the other until told to stop; `kills` says how often whom."""

    def __init__(self, chain: Chain, seed: int, pause_s: tuple[float, float]) -> None:
        self.chain = chain
        self.kills: Counter[str] = Counter()
        self._chance = random.Random(seed)
        self._pause_s = pause_s
        self._victims: dict[str, Callable[[], None]] = {
            "cstor-a": lambda: self._kill("cstor-a"),
            "cstor-b": lambda: self._kill("cstor-b"),
            "API of cstor-a stands": lambda: self._stand("serve", "cstor-a"),
            "worker of pulls": lambda: self._kill("worker-pulls"),
            "worker of roll-ups": lambda: self._kill("worker-rollups"),
            "beat": lambda: self._kill("beat-schedule"),
            "PostgreSQL": self._kill_database,
            "Valkey": self._kill_broker,
        }

    def run(self, seconds: float) -> None:
        """Every part at least once where there is time, in a random order."""
        end = time.monotonic() + seconds
        with self._hurry():
            while time.monotonic() < end:
                names = list(self._victims)
                self._chance.shuffle(names)
                for name in names:
                    if time.monotonic() >= end:
                        break
                    self._victims[name]()
                    self.kills[name] += 1
                    time.sleep(self._chance.uniform(*self._pause_s))

    def _kill(self, *words: str) -> None:
        for process in self._processes(*words):
            with suppress(psutil.Error):
                process.kill()

    def _stand(self, *words: str) -> None:
        """Stopped, not dead: connections are taken and nothing is answered."""
        stopped = self._processes(*words)
        for process in stopped:
            process.suspend()
        time.sleep(self._chance.uniform(1, 4))
        for process in stopped:
            with suppress(psutil.Error):
                process.resume()

    def _kill_database(self) -> None:
        """The server, or one of its backends: it then restarts all of them by itself."""
        with suppress(OSError, psutil.Error, ValueError, IndexError):
            pid = int((self.chain.data / "postgres" / "data" / "postmaster.pid").read_text().split()[0])
            backends = psutil.Process(pid).children()
            os.kill(self._chance.choice([pid, *(child.pid for child in backends)]), signal.SIGKILL)

    def _kill_broker(self) -> None:
        folder = str(self.chain.data / "valkey")
        for process in psutil.process_iter(["cwd"]):
            if process.info["cwd"] == folder:
                with suppress(psutil.Error):
                    process.kill()

    def _processes(self, *words: str) -> list[psutil.Process]:
        found = []
        for process in self.chain.processes():
            with suppress(psutil.Error):
                line = " ".join(process.cmdline())
                if all(word in line for word in words) and "cclear.su" not in line and "lab run" not in line:
                    found.append(process)
        return found

    @contextmanager
    def _hurry(self) -> Iterator[None]:
        """Runs are folded minutes after they end; here they are due at once, so that they too are killed in the
        middle."""
        stopping = threading.Event()

        def work() -> None:
            while not stopping.wait(2):
                with suppress(psycopg2.Error):
                    _execute(self.chain, "UPDATE monitors_rollup SET due = now() WHERE due > now()")

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        try:
            yield
        finally:
            stopping.set()
            thread.join()


def settle(chain: Chain) -> None:
    """Wait until all is pulled that was there, stop pulling, and fold what waits."""
    end = int(time.time())
    chain.wait_for(lambda: _is_pulled(chain, end), SETTLE_S, f"everything until {end} to be pulled")
    _execute(chain, "UPDATE monitors_monitor SET enabled = false")
    chain.wait_for(
        lambda: _rows(chain, "SELECT count(*) FROM monitors_pull WHERE lease_until > now()") == [(0,)],
        SETTLE_S,
        "the last pulls",
    )

    def folded() -> bool:
        _execute(chain, "UPDATE monitors_rollup SET due = now() WHERE due > now()")
        return _rows(chain, "SELECT count(*) FROM monitors_rollup") == [(0,)]

    chain.wait_for(folded, SETTLE_S, "the roll-ups")


def differences(chain: Chain) -> list[str]:
    """Everything in which the console and its nodes do not agree, in words."""
    nodes = {number: (name, url) for number, name, url in _rows(chain, "SELECT id, name, url FROM monitors_node")}
    monitors = _rows(
        chain, "SELECT id, name, kind, filter, resolution, keys FROM monitors_monitor WHERE kind = ANY(%s) ORDER BY id",
        list(SUBJECTS),
    )  # fmt: skip
    found: list[str] = []
    for monitor, name, kind, text, resolution, keys in monitors:
        pulls = _rows(
            chain,
            "SELECT node_id, covered::text, lost::text FROM monitors_pull WHERE monitor_id = %s ORDER BY node_id",
            monitor,
        )
        assert pulls, f"{name} was never pulled"
        for node, covered_text, lost_text in pulls:
            covered, where = from_multirange(covered_text), f"{name} on {nodes[node][0]}"
            query = {"subject": SUBJECTS[kind], "filter": text, "by": [], "step": resolution}
            if kind != "network_health":
                # The burst of a link as a whole is more than that of any VNI: asked as the monitor asks.
                query |= {"by": [key for key in keys if key != "node"], "totals": True, "limit": 1}
            told, observed, oldest = _ask(chain, nodes[node], query, covered)
            found += _compare_base(chain, where, (monitor, node, resolution), told)
            found += _compare_covered(chain, where, node, covered, from_multirange(lost_text), observed, oldest)
            found += _compare_tiers(chain, where, monitor, node, resolution)
        if kind == "network_health" and "host" not in keys:
            found += _compare_groups(chain, name, monitor, resolution)
    return found


Rows = dict[int, dict[str, Any]]


def _ask(
    chain: Chain, node: tuple[str, str], query: dict[str, Any], covered: Intervals
) -> tuple[Rows, Intervals, int | None]:
    """Rows of the node's own totals by time, each base by the console's name; when it was capturing; its oldest."""
    name, url = node
    token = (chain.data / "secrets" / f"{name}.token").read_text().strip()
    headers = {"Authorization": f"Bearer {token}"}
    rows: Rows = {}
    observed: list[tuple[int, int]] = []
    for start, stop in covered:
        for low in range(start, stop, ASKED_S):
            high = min(stop, low + ASKED_S)
            body = {"queries": [{**query, "id": 1, "from": low, "to": high, "encoding": "packed"}]}
            answer = requests.post(f"{url}/api/v1/series", json=body, headers=headers, timeout=60)
            (line,) = answer.text.splitlines()
            head: dict[str, Any] = json.loads(line)
            assert "error" not in head, head
            assert head["complete_until"] >= high, (name, head["complete_until"], high)
            rows |= _by_time(query["subject"], head["columns"])
            observed += clip(normalized((int(a), int(b)) for a, b in head["observed"]), low, high)
    status = requests.get(f"{url}/api/v1/status", headers=headers, timeout=60).json()
    return rows, normalized(observed), status.get("kept_from") or status.get("oldest_bucket")


def _by_time(subject: Any, columns: dict[str, Any]) -> Rows:
    """The columns of an answer as a row for each time; histograms as {bin: n}."""

    totals = columns.get("is_total") or [True] * len(columns["t"])
    times = [int(t) if is_total else -1 for t, is_total in zip(columns["t"], totals, strict=True)]
    rows: Rows = {t: {} for t in times}
    for key, values in columns.items():
        column = column_of(subject, key)
        if column not in BASES or values is None:
            continue
        if BASES[column].kind == "histogram":
            pairs, at = base64.b64decode(values["pairs"]), 0
            for t, size in zip(times, values["lengths"], strict=True):
                if size:
                    rows[t][column] = _bins(pairs[at : at + 4 * size])
                at += 4 * size
        else:
            for t, value in zip(times, values, strict=True):
                if value is not None:
                    rows[t][column] = value
    rows.pop(-1, None)
    return rows


def _bins(cell: bytes) -> dict[int, int]:
    found: Counter[int] = Counter()
    for number, count in zip(*unpack(cell), strict=True):
        found[int(number)] += int(count)
    return dict(found)


def _stored(chain: Chain, step: int, monitor: int, node: int) -> Rows:
    """Total rows of a tier, as `_by_time` has them."""
    columns = ", ".join(BASES)
    rows = _rows(
        chain,
        f"SELECT extract(epoch FROM t)::bigint, {columns} FROM {table_of(step)}"
        f" WHERE monitor_id = %s AND node_id = %s AND group_id = {TOTAL_GROUP} ORDER BY t",
        monitor,
        node,
    )
    out: Rows = {}
    for t, *values in rows:
        assert t not in out, f"{t} stands twice in {table_of(step)}"
        out[t] = {
            key: _bins(bytes(value)) if isinstance(value, memoryview) else value
            for key, value in zip(BASES, values, strict=True)
            if value is not None
        }
    return out


def _compare_base(chain: Chain, where: str, whose: tuple[int, int, int], told: Rows) -> list[str]:
    monitor, node, resolution = whose
    stored = _stored(chain, resolution, monitor, node)
    return _compare(f"{where}, {resolution} s", stored, told, "the node says")


def _compare(where: str, stored: Rows, expected: Rows, whose: str) -> list[str]:
    found = [f"{where}: {t} is only here" for t in stored.keys() - expected.keys()]
    found += [f"{where}: {t} is missing" for t in expected.keys() - stored.keys()]
    for t in stored.keys() & expected.keys():
        for key in stored[t].keys() | expected[t].keys():
            here, there = stored[t].get(key), expected[t].get(key)
            if here != there:
                found.append(f"{where}: {key} at {t} is {here}, {whose} {there}")
    return found


def _compare_covered(
    chain: Chain, where: str, node: int, covered: Intervals, lost: Intervals, told: Intervals, oldest: int | None
) -> list[str]:
    found = []
    if oldest is not None and covered:
        holes = subtract([(max(int(oldest), covered[0][0]), covered[-1][1])], union(covered, lost))
        found += [f"{where}: {hole} is not covered, though the node has it" for hole in holes]
        first = min(start for start, _ in union(covered, lost))
        found += [f"{where}: begins at {first}, the node's data at {oldest}"] if first > int(oldest) + 10 else []
    rows = _rows(chain, "SELECT observed::text FROM monitors_observed WHERE node_id = %s", node)
    noted = clip(from_multirange(rows[0][0]) if rows else (), covered[0][0], covered[-1][1])
    # Monitors of other steps end at other seconds: what this one covers is compared.
    noted = normalized(pair for start, stop in covered for pair in clip(noted, start, stop))
    if noted != told:
        found.append(f"{where}: observed {noted}, the node says {told}")
    return found


def _compare_tiers(chain: Chain, where: str, monitor: int, node: int, resolution: int) -> list[str]:
    base, found = _stored(chain, resolution, monitor, node), []
    for step in tiers_of(resolution)[1:]:
        stored = _stored(chain, step, monitor, node)
        found += _compare(f"{where}, {step} s", stored, _folded(base, step), "the finer tier says")
    return found


def _folded(base: Rows, step: int) -> Rows:
    out: Rows = {}
    for t, row in base.items():
        into = out.setdefault(t // step * step, {})
        for key, value in row.items():
            kind = BASES[key].kind
            if key not in into:
                into[key] = value
            elif kind == "histogram":
                into[key] = dict(Counter(into[key]) + Counter(value))
            else:
                into[key] = {"sum": lambda a, b: a + b, "min": min, "max": max}[kind](into[key], value)
    return out


def _compare_groups(chain: Chain, name: str, monitor: int, resolution: int) -> list[str]:
    """In every tier groups and `other` add up to the total, copies of a VNI left out."""
    found = []
    for step in tiers_of(resolution):
        sums = ", ".join(f"coalesce(sum({key}), 0)" for key in ADDED)
        rows = _rows(
            chain,
            f"""
            SELECT s.t, s.group_id = {TOTAL_GROUP}, {sums} FROM {table_of(step)} s
            LEFT JOIN monitors_group g ON g.monitor_id = s.monitor_id AND g.id = s.group_id
            WHERE s.monitor_id = %s AND g.is_copy IS NOT TRUE GROUP BY 1, 2""",
            monitor,
        )
        totals = {t: values for t, is_total, *values in rows if is_total}
        groups = {t: values for t, is_total, *values in rows if not is_total}
        if groups:
            found += [
                f"{name}, {step} s: groups at {t} make {groups.get(t)}, the total is {values}"
                for t, values in totals.items()
                if any(values) and groups.get(t) != values
            ]
    return found


def _is_pulled(chain: Chain, end: int) -> bool:
    try:
        rows = _rows(chain, "SELECT (covered + lost)::text FROM monitors_pull")
    except psycopg2.Error:
        return False
    known = [from_multirange(text) for (text,) in rows]
    # A monitor of 10 s covers whole tens; what was missed is fetched after the present, without a hole in the end.
    return bool(known) and all(len(spans) == 1 and spans[0][1] >= end // 60 * 60 for spans in known)


def _rows(chain: Chain, text: str, *values: Any) -> list[tuple[Any, ...]]:
    with _cursor(chain) as cursor:
        cursor.execute(text, values)
        return list(cursor.fetchall())


def _execute(chain: Chain, text: str) -> None:
    with _cursor(chain) as cursor:
        cursor.execute(text)


@contextmanager
def _cursor(chain: Chain) -> Iterator[Any]:
    connection = psycopg2.connect(Postgres(chain.data).url())
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            yield cursor
    finally:
        connection.close()
