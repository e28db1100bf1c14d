"""The files that `make run` writes for its parts."""

from __future__ import annotations

import configparser
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from cclear.services.sockets import remove_socket_folder
from cclear.supervise import configuration
from cclear.supervise.layout import Layout


@pytest.fixture
def layout(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Layout]:
    data = tmp_path / "with space % and 'quote'"
    data.mkdir()
    monkeypatch.setenv("DATA_DIR", str(data))
    yield Layout.from_environment()
    remove_socket_folder(data)


def test_it_writes_files_that_only_their_owner_reads(layout: Layout) -> None:
    configuration.write(layout)
    files = [*(layout.data / "config").iterdir(), *layout.secrets().iterdir()]
    assert {path.name for path in files} >= {"cstor-a.toml", "cvu.toml", "supervisord.conf", "cstor-a.token"}
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}


def test_it_tells_each_node_its_store_and_its_token(layout: Layout) -> None:
    configuration.write(layout)
    config = tomllib.loads((layout.data / "config" / "cstor-a.toml").read_text())
    assert config["name"] == "cstor-a"
    assert config["store"] == str(layout.data / "cstor-a")
    assert Path(config["token_file"]).read_text().strip()
    assert config["source"] == [{"kind": "vxlan", "listen": "127.0.0.1:6081"}]


def test_it_balances_over_all_nodes(layout: Layout) -> None:
    configuration.write(layout)
    config = tomllib.loads((layout.data / "config" / "cvu.toml").read_text())
    assert [output["to"] for output in config["output"]] == ["127.0.0.1:6081", "127.0.0.1:6082"]
    assert config["rule"] == [{"balance": ["cstor-a", "cstor-b"]}]


def test_it_keeps_the_tokens_over_starts(layout: Layout) -> None:
    configuration.write(layout)
    first = layout.token_file(layout.nodes[0]).read_text()
    configuration.write(layout)
    assert layout.token_file(layout.nodes[0]).read_text() == first


def test_it_starts_capture_first_and_stops_its_source_first(layout: Layout) -> None:
    parser = configparser.RawConfigParser()
    parser.read(configuration.write(layout))
    order = {
        name: parser.getint(section, "priority")
        for section in parser.sections()
        if section.startswith("group:")
        for name in parser.get(section, "programs").split(",")
    }
    assert order["cstor-a"] == order["cstor-b"] < order["worker-pulls"] == order["beat"]
    assert order["beat"] < order["web"] < order["cvu"] < order["lab"]


def test_it_quotes_paths_for_supervisor(layout: Layout) -> None:
    parser = configparser.RawConfigParser()
    parser.read(configuration.write(layout))
    words = shlex.split(parser.get("program:cstor-a", "command") % {})
    assert words[-1] == str(layout.data / "config" / "cstor-a.toml")


def test_it_leaves_the_lab_out_where_it_is_not_wanted(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CCLEAR_LAB", "no")
    assert "program:lab" not in configuration.write(Layout.from_environment()).read_text()
