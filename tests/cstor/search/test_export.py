from __future__ import annotations

import io
from pathlib import Path

import pytest

from cstor.search.export import MixedLinkTypes, encoded, format_of, refuse_mixed
from cstor.search.plan import make_plan
from cstor.search.run import search
from tests.cstor.search.stores import NOON, SECOND, add_segment, numbered
from wire.filters.grammar import parse
from wire.filters.packets import PacketFilter
from wire.packets.layout import LINK_ETHERNET, LINK_RAW
from wire.packets.pcap import open_capture


def _written(path: Path, store: Path, form: str, text: str = "") -> list[tuple[int, int]]:
    path.write_bytes(b"".join(encoded(search(store, text), form)))
    return [(batch.link_type, int(time)) for batch in open_capture(path).batches() for time in batch.time_ns.tolist()]


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    add_segment(tmp_path, 1, [(NOON + 1, numbered(1)), (NOON + 3 * SECOND, numbered(3))])
    add_segment(tmp_path, 2, [(NOON + 2 * SECOND, numbered(2, LINK_RAW))], LINK_RAW)
    return tmp_path


def test_it_writes_pcap_with_nanoseconds(tmp_path: Path) -> None:
    add_segment(tmp_path, 1, [(NOON + 123_456_789, numbered(1)), (NOON + SECOND, numbered(2))])
    assert _written(tmp_path / "x.pcap", tmp_path, "pcap") == [(LINK_ETHERNET, NOON + 123_456_789), (1, NOON + SECOND)]
    assert (tmp_path / "x.pcap").read_bytes()[:4] == bytes.fromhex("4d3cb2a1")


def test_it_writes_pcapng_with_several_link_types(mixed: Path) -> None:
    expected = [(LINK_ETHERNET, NOON + 1), (LINK_RAW, NOON + 2 * SECOND), (LINK_ETHERNET, NOON + 3 * SECOND)]
    assert _written(mixed / "x.pcapng", mixed, "pcapng") == expected


def test_it_refuses_a_pcap_of_several_link_types_by_name(mixed: Path) -> None:
    chosen = PacketFilter(parse("tcp"))
    with pytest.raises(MixedLinkTypes, match=r"2 link types \(Ethernet, raw IP\)"):
        refuse_mixed(make_plan(mixed, chosen, None, None), chosen)
    one = PacketFilter(parse("src port 10002"))
    refuse_mixed(make_plan(mixed, one, None, None), one)
    assert _written(mixed / "x.pcap", mixed, "pcap", "src port 10002") == [(LINK_RAW, NOON + 2 * SECOND)]


@pytest.mark.parametrize("form", ["pcap", "pcapng"])
def test_it_writes_a_whole_file_when_nothing_matches(tmp_path: Path, form: str) -> None:
    add_segment(tmp_path, 1, [(NOON, numbered(1))])
    assert _written(tmp_path / f"x.{form}", tmp_path, form, "udp") == []


def test_it_takes_the_format_from_the_files_name() -> None:
    assert format_of(Path("a.pcapng")) == "pcapng"
    assert format_of(Path("a.pcap")) == "pcap"
    assert format_of(Path("-")) == "pcap"


def test_it_sends_the_head_before_it_has_found_all(tmp_path: Path) -> None:
    add_segment(tmp_path, 1, [(NOON + n, numbered(n)) for n in range(9000)])
    pieces = encoded(search(tmp_path), "pcap")
    assert len(next(pieces)) == 24
    assert len(next(pieces)) < 9000 * 70
    assert io.BytesIO(b"".join(pieces)).getbuffer().nbytes > 0
