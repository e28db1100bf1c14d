"""The index that the writer makes: the same as the pcap gives, after kills too; hostile packets are unsure."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

from cstor.engine import Decoder
from cstor.store.catalog import pack_head, read_head, segments
from cstor.store.index import EVERY, UNSURE, SegmentIndex, open_index, verify
from cstor.store.index_build import IndexBuilder, build_index, keys_of
from cstor.store.layout import LIVE, open_store
from cstor.store.recover import recover
from cstor.store.segment import SegmentWriter
from cstor.store.sequence import Sequence
from tests.cstor.search.stores import ethernet, tcp
from wire.packets.batch import PacketBatch, batch_of
from wire.packets.layout import LINK_RAW

T = 1_700_000_000_000_000_000


def traffic(count: int, start: int = 0) -> PacketBatch:
    frames = [
        ethernet(tcp(f"10.0.{n % 7}.{n % 250}", "10.9.9.9", 1024 + n % 3000, 80, size=n % 90)) for n in range(count)
    ]
    return batch_of(frames, [T + start + n for n in range(count)])


def write(root: Path, *batches: PacketBatch, close: bool = True) -> SegmentWriter:
    writer, decoder = SegmentWriter(open_store(root), Sequence(root), live=False), Decoder()
    for batch in batches:
        writer.append(batch, decoder.decode(batch))
    if close:
        writer.close()
    return writer


def index_of(root: Path) -> SegmentIndex:
    (segment,) = segments(root, 0, 1 << 62)
    index = open_index(segment)
    assert index is not None
    return index


def test_the_writers_index_is_the_one_that_the_pcap_gives(tmp_path: Path) -> None:
    write(tmp_path, traffic(3000), traffic(4000, 10_000), traffic(1, 20_000))
    index = index_of(tmp_path)
    assert verify(index.path) is None
    assert index.path.read_bytes() == build_index(index.segment.path, index.segment)
    assert index.segment.packets == len(index.numbers) == 7001
    assert len(index.marks) == -(-7001 // EVERY)
    assert int(index.flows4["packets"].sum()) == 7001
    flow = index.flows4[5]
    mine = np.flatnonzero(index.numbers >> 1 == 5)
    assert (len(mine), mine[0], mine[-1]) == (flow["packets"], flow["first"], flow["last"])


def test_both_directions_are_one_flow(tmp_path: Path) -> None:
    there, back = tcp("10.0.0.1", "10.0.0.2", 5000, 80), tcp("10.0.0.2", "10.0.0.1", 80, 5000)
    write(tmp_path, batch_of([ethernet(there), ethernet(back), ethernet(there)], [T, T + 1, T + 2]))
    index = index_of(tmp_path)
    assert index.numbers.tolist() == [0, 1, 0]
    assert (int(index.flows4[0]["a_port"]), int(index.flows4[0]["b_port"])) == (5000, 80)


def test_what_a_record_cannot_say_is_unsure(tmp_path: Path) -> None:
    whole = tcp("10.0.0.1", "10.0.0.2", 5000, 80)
    fragment = whole[:6] + b"\x20\x00" + whole[8:]
    with_options = b"\x46" + whole[1:2] + struct.pack(">H", len(whole) + 4) + whole[4:20] + b"\1\1\1\0" + whole[20:]
    wrong_type = ethernet(whole)[:12] + b"\x86\xdd" + whole
    frames = [
        ethernet(whole),
        ethernet(whole)[:40],
        ethernet(fragment),
        ethernet(with_options),
        wrong_type,
        bytes(12) + b"\x08\x06" + bytes(28),
        b"",
        b"\xff" * 7,
    ]
    write(tmp_path, batch_of(frames, [T + n for n in range(len(frames))]))
    index = index_of(tmp_path)
    assert (index.numbers == UNSURE).tolist() == [False] + [True] * 7
    assert index.summary.unsure == 7


def test_flow_tables_grow(tmp_path: Path) -> None:
    builder, decoder = IndexBuilder(), Decoder()
    for start in range(0, 40_000, 4000):
        frames = [tcp("10.0.0.1", f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}", 99, 80) for n in range(start, start + 4000)]
        batch = batch_of(frames, [T] * 4000, link_type=LINK_RAW)
        builder.add(keys_of(batch, decoder.decode(batch)))
    write(tmp_path, batch_of([frames[0]], [T], link_type=LINK_RAW))
    segment = index_of(tmp_path).segment._replace(packets=40_000)
    path = tmp_path / "a.idx"
    path.write_bytes(builder.pack(segment))
    index = SegmentIndex(path, segment)
    assert verify(path) is None
    assert index.numbers.tolist() == [2 * n for n in range(40_000)]
    assert len(index.summary.v4) == 40_000


def test_a_segment_that_a_kill_left_gets_its_index_with_the_next_start(tmp_path: Path) -> None:
    write(tmp_path, traffic(500))
    index = index_of(tmp_path)
    content, segment = index.path.read_bytes(), index.segment
    live = tmp_path / LIVE / segment.path.name
    segment.path.rename(live)
    index.path.unlink()
    live.with_suffix(".idx").write_bytes(pack_head(segment._replace(path=live)))
    with live.open("ab") as file:
        file.write(b"torn")
    recover(tmp_path)
    assert index_of(tmp_path).path.read_bytes() == content


def test_a_segment_whose_pcap_is_not_what_its_head_says_gets_no_index(tmp_path: Path) -> None:
    write(tmp_path, traffic(50))
    segment = index_of(tmp_path).segment
    claimed = segment._replace(packets=51)
    head = build_index(segment.path, claimed)
    assert head == pack_head(claimed)
    segment.path.with_suffix(".idx").write_bytes(head)
    assert read_head(segment.path.with_suffix(".idx")) == claimed
    assert open_index(claimed) is None
