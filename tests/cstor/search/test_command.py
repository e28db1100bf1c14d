"""`python -m cstor search`, as a user calls it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cstor.__main__ import main
from tests.cstor.search.stores import NOON, SECOND, add_segment, numbered
from wire.packets.layout import LINK_RAW
from wire.packets.pcap import open_capture


@pytest.fixture
def store(tmp_path: Path) -> Path:
    add_segment(tmp_path / "s", 1, [(NOON + n * SECOND, numbered(n)) for n in range(10)])
    return tmp_path / "s"


def test_it_prints_the_count_alone(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["search", "--store", str(store), "src portrange 10002-10004", "--count"]) == 0
    assert capsys.readouterr().out == "3\n"


def test_it_takes_a_filter_of_several_words_and_a_range(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    range_ = ["--from", "1700000001", "--to", "2023-11-14T22:13:24Z"]
    assert main(["search", "--store", str(store), *range_, "--count", "tcp", "port", "80"]) == 0
    assert capsys.readouterr().out == "3\n"


def test_it_prints_a_plan(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["search", "--store", str(store), "tcp", "--plan"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert (plan["filter"], plan["segments"], plan["packets"], plan["link_types"]) == ("tcp", 1, 10, ["Ethernet"])


@pytest.mark.parametrize("name", ["x.pcap", "x.pcapng"])
def test_it_writes_a_file(store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    file = tmp_path / name
    assert main(["search", "--store", str(store), "--max-packets", "4", "-w", str(file)]) == 0
    assert sum(batch.packets for batch in open_capture(file).batches()) == 4
    assert "stopped by --max-packets" in capsys.readouterr().err


def test_it_says_why_a_file_is_empty(store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["search", "--store", str(store), "udp", "-w", str(tmp_path / "x.pcap")]) == 0
    assert "no packet matches the filter in this range; packets are kept from 2023-11-14" in capsys.readouterr().err
    late = ["--from", "1800000000"]
    assert main(["search", "--store", str(store), *late, "-w", str(tmp_path / "x.pcap")]) == 0
    assert "no packets are stored for this range" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["tcp prot 80", "--count"], 2, "unknown word 'prot'"),
        (["tcp", "--count", "--from", "yesterday"], 2, "--from"),
        (["tcp", "--count", "--max-packets", "0"], 2, "at least 1"),
        (["tcp", "--count", "--max-bytes", "many"], 2, "--max-bytes"),
        (["ip broadcast", "--count"], 2, "netmask not known"),
        (["tcp", "-w", "/nonexistent/x.pcap"], 1, "/nonexistent/x.pcap"),
    ],
)
def test_it_fails_with_one_line(
    store: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], status: int, words: str
) -> None:
    assert main(["search", "--store", str(store), *arguments]) == status
    assert words in capsys.readouterr().err.splitlines()[0]


def test_it_asks_for_one_thing_to_do(store: Path) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["search", "--store", str(store), "tcp"])
    assert caught.value.code == 2


def test_it_refuses_a_folder_that_is_no_store(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["search", "--store", str(tmp_path), "--count"]) == 1
    assert "not a cStor store" in capsys.readouterr().err


def test_it_refuses_to_mix_link_types_in_a_pcap(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    add_segment(store, 2, [(NOON, numbered(1, LINK_RAW))], LINK_RAW)
    file = tmp_path / "x.pcap"
    assert main(["search", "--store", str(store), "-w", str(file)]) == 1
    assert "(Ethernet, raw IP)" in capsys.readouterr().err
    assert not file.exists()


def test_it_keeps_what_it_found_before_a_fault(store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken = add_segment(store, 2, [(NOON + 100 * SECOND, numbered(50))])
    with broken.path.open("r+b") as file:
        file.seek(24 + 8)
        file.write(b"\xff" * 4)
    target = tmp_path / "x.pcap"
    assert main(["search", "--store", str(store), "-w", str(target)]) == 1
    assert "holds the 10 packets found before it" in capsys.readouterr().err
    assert sum(batch.packets for batch in open_capture(target).batches()) == 10
