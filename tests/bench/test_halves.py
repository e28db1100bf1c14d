"""Halves of a capture: nothing is lost, and both directions of a connection lie in one."""

from __future__ import annotations

from itertools import chain
from pathlib import Path

from bench.halves import write_halves
from bench.headers import Connections
from cstor.engine import Decoder
from wire.packets.pcap import PcapWriter, open_capture


def _conversations(path: Path) -> tuple[int, set[frozenset[tuple[int, int]]]]:
    decoder, count, found = Decoder(), 0, set()
    with open_capture(path) as reader:
        for batch in reader:
            count += batch.packets
            for packet in decoder.decode(batch):
                ends = ((packet["src_lo"], packet["src_port"]), (packet["dst_lo"], packet["dst_port"]))
                found.add(frozenset((int(address), int(port)) for address, port in ends))
    return count, found


def test_it_parts_a_capture_by_connection(tmp_path: Path) -> None:
    whole = tmp_path / "whole.pcap"
    traffic = Connections(200)
    with PcapWriter(whole) as writer:
        for batch in chain(traffic.opened(), traffic.steady(1_000)):
            writer.write(batch)
    (first, of_first), (second, of_second) = map(_conversations, write_halves(whole, tmp_path))
    assert first + second == 1_600
    assert not of_first & of_second
    assert len(of_first) + len(of_second) == 200
    assert min(first, second) > 400
