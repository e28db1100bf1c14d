"""A node that captures while its API is asked, one for all tests of a run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cstor.test_node import Mirror, RunningNode, until


@pytest.fixture(scope="package")
def capturing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningNode]:
    """It has taken packets and lives on; a mirror sends it more."""
    node = RunningNode(tmp_path_factory.mktemp("capturing"))
    try:
        node.await_capture()
        with Mirror(node.udp) as mirror:
            until(lambda: mirror.sent > 3000, 60)
            until(lambda: (node.call("/api/v1/status").json["lag_s"] or 99) < 5, 60)
            yield node
    finally:
        node.stop()
        node.process.stderr.close()
