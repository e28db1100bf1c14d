"""What the tests of monitors share: a stub node that is running and a monitor that pulls it.

Models are imported inside the fixtures: this file is read before Django is set up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from tests.monitors.stub_node import StubNode

if TYPE_CHECKING:
    from monitors.models import Monitor, Node


@pytest.fixture(autouse=True)
def _fresh_caches() -> None:
    """Each test has its own rows: nothing that a process remembers of an earlier one holds."""
    from monitors.nodes import alarm
    from monitors.series import partitions, write

    alarm.forget()
    partitions.forget()
    write.forget()


@pytest.fixture
def stub() -> Iterator[StubNode]:
    from tests.monitors.clock import NOW

    with StubNode(complete_until=NOW) as node:
        yield node


@pytest.fixture
def node(db: None, stub: StubNode) -> Node:
    from monitors.models import Node

    return Node.objects.create(name="stub", url=stub.url)


@pytest.fixture
def make_monitor(node: Node) -> Callable[..., Monitor]:
    from monitors.models import Monitor

    def make(name: str = "web", nodes: list[Node] | None = None, **fields: Any) -> Monitor:
        monitor = Monitor.objects.create(name=name, **{"resolution": 10, "interval_s": 10, "top_n": 5} | fields)
        monitor.nodes.set([node] if nodes is None else nodes)
        return monitor

    return make


@pytest.fixture
def monitor(make_monitor: Callable[..., Monitor]) -> Monitor:
    return make_monitor()
