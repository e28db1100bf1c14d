"""Where the parts of one machine listen."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from cclear.environment import EnvironmentProblem
from cclear.supervise.layout import Layout, PortProblem

VARIABLES = (
    "CCLEAR_PORT",
    "CVU_PORT",
    "CVU_API_PORT",
    "CSTOR_A_PORT",
    "CSTOR_B_PORT",
    "CSTOR_A_API_PORT",
    "CSTOR_B_API_PORT",
)


@pytest.fixture
def layout(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Layout:
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    for name in VARIABLES:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            monkeypatch.setenv(name, str(probe.getsockname()[1]))
    return Layout.from_environment()


def test_it_finds_free_ports_free(layout: Layout) -> None:
    layout.must_be_free()


def test_it_names_each_port_that_is_taken_and_what_moves_it(layout: Layout) -> None:
    with socket.socket() as web, socket.socket(type=socket.SOCK_DGRAM) as mirror:
        web.bind((layout.web.host, layout.web.port))
        web.listen()
        mirror.bind((layout.broker.host, layout.broker.port))
        with pytest.raises(PortProblem) as caught:
            layout.must_be_free()
    line = str(caught.value)
    assert "\n" not in line
    assert f"{layout.web.port} (web)" in line
    assert f"{layout.broker.port} (cvu)" in line
    assert "CCLEAR_PORT=" in line


def test_it_refuses_one_port_for_two_parts(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CCLEAR_PORT", "9000")
    monkeypatch.setenv("CSTOR_A_API_PORT", "9000")
    with pytest.raises(EnvironmentProblem, match="CSTOR_A_API_PORT and CCLEAR_PORT are both 9000"):
        Layout.from_environment()


def test_it_listens_on_this_machine_only_unless_told(layout: Layout) -> None:
    assert {address.host for address in layout.addresses()} == {"127.0.0.1"}
