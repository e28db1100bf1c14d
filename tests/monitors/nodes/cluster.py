"""Several stub nodes on one port of different loopback addresses: what stands behind the name of a cluster."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.monitors.stub_node import StubNode


class Cluster:
    """Machines 127.0.0.2 and following on one port."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self.port = 0
        self.machines: dict[str, StubNode] = {}

    def add(self, address: str, name: str, **fields: object) -> StubNode:
        stub = StubNode(name=name, host=address, port=self.port, **fields)  # type: ignore[arg-type]
        self._stack.enter_context(stub)
        self.port = stub.port
        self.machines[address] = stub
        return stub


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    with ExitStack() as stack:
        yield Cluster(stack)
