"""What load balancers and Prometheus are told about a broker."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Iterator
from http import HTTPStatus

import pytest

from cvu.address import ConfigError
from cvu.api import Api, health
from cvu.stats import Stats


@pytest.fixture
def stats() -> Stats:
    return Stats(rules=['with "quotes"'], outputs=["a"], alive_at=100.0)


@pytest.fixture
def api(stats: Stats) -> Iterator[Api]:
    api = Api(stats, "127.0.0.1", 0)
    api.start()
    yield api
    api.stop()


def test_it_is_well_while_the_loop_comes_round(stats: Stats) -> None:
    assert health(stats, 101.0) == (HTTPStatus.OK, "ok\n")
    status, words = health(stats, 120.0)
    assert status == HTTPStatus.SERVICE_UNAVAILABLE
    assert "20 s" in words


def test_it_names_every_counter_once(stats: Stats) -> None:
    stats.malformed = {"cut_header": 3}
    text = stats.prometheus()
    names = [line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")]
    assert len(names) == len(set(names)) == 11
    assert 'cvu_malformed_total{reason="cut_header"} 3\n' in text
    assert 'cvu_rule_packets_total{rule="with \\"quotes\\""} 0\n' in text


def test_it_serves_metrics_and_nothing_else(api: Api) -> None:
    host, port = api.address
    with urllib.request.urlopen(f"http://{host}:{port}/metrics") as answer:
        assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"http://{host}:{port}/config")
    assert refused.value.code == HTTPStatus.NOT_FOUND


def test_it_says_which_address_is_taken(api: Api, stats: Stats) -> None:
    with pytest.raises(ConfigError, match=r"cannot listen on 127\.0\.0\.1:\d+ \(TCP\)"):
        Api(stats, *api.address).start()
