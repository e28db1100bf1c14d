"""A configuration that cannot work is refused with a line that says what to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cvu.__main__ import main
from cvu.address import ConfigError
from cvu.config import OutputConfig, RuleConfig, from_mapping, load

OUTPUT = {"name": "a", "kind": "cstor", "to": "127.0.0.1:6081"}
RULE = {"balance": ["a"]}


def test_it_reads_what_it_documents(tmp_path: Path) -> None:
    (tmp_path / "cvu.toml").write_text(
        'listen = "127.0.0.1:4789"\nhttp = "127.0.0.1:4790"\n'
        '[[output]]\nname = "cstor-a"\nkind = "cstor"\nto = "127.0.0.1:6081"\n'
        '[[rule]]\nname = "web"\nfilter = "tcp port 443"\nbalance = ["cstor-a"]\n'
        "[[rule]]\ndrop = true\n"
    )
    config = load(tmp_path / "cvu.toml")
    assert config.listen == "127.0.0.1:4789"
    assert config.outputs == (OutputConfig("cstor-a", "cstor", "127.0.0.1:6081"),)
    assert config.rules == (RuleConfig("web", "balance", ("cstor-a",), "tcp port 443"), RuleConfig("#2", "drop"))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"listen": "4789"}, "listen = '4789' is not HOST:PORT"),
        ({"listen": "[::1]:70000"}, "is not HOST:PORT"),
        ({"rule": []}, "there is no [[rule]]"),
        ({"rule": [{}]}, "exactly one of balance"),
        ({"rule": [RULE | {"drop": True}]}, "exactly one of balance"),
        ({"rule": [{"balance": ["b"]}]}, "there is no output 'b'; known: a"),
        ({"rule": [{"balance": ["a", "a"]}]}, "an output is named twice"),
        ({"rule": [RULE | {"filter": "tcp prot 443"}]}, "(column 5)"),
        ({"rule": [RULE | {"filtre": "tcp"}]}, "unknown key 'filtre'"),
        ({"rule": [{"balance": "a"}]}, "must be a list"),
        ({"rule": {"balance": ["a"]}}, "must be written as [[rule]] tables"),
        ({"output": [OUTPUT, OUTPUT]}, "two outputs are named 'a'"),
        ({"output": [OUTPUT | {"kind": "kafka"}]}, "unknown kind 'kafka'; known: cstor, pcapfile, vxlan"),
        ({"output": [{"name": "a", "kind": "cstor"}]}, "to is missing"),
        ({"output": [OUTPUT | {"to": "nowhere"}]}, "[[output]] a: to = 'nowhere' is not HOST:PORT"),
        ({"output": [OUTPUT | {"kind": "pcapfile", "to": "/nonexistent/x.pcap"}]}, "there is no folder /nonexistent"),
        ({"listens": "x"}, "unknown key 'listens'"),
    ],
)
def test_it_refuses_what_cannot_work(changes: dict[str, Any], words: str) -> None:
    mapping = {"output": [OUTPUT], "rule": [RULE]} | changes
    with pytest.raises(ConfigError) as refused:
        from_mapping(mapping)
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)


def test_it_fails_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "odd.toml").write_text("listen = ")
    for path in (tmp_path / "none.toml", tmp_path / "odd.toml"):
        assert main(["run", "--config", str(path)]) == 1
        line = capsys.readouterr().err
        assert line.startswith(f"cvu: {path}: ")
        assert line.count("\n") == 1
