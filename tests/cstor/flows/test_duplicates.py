"""Capture duplicates: what is one, what only looks like one, and that the analysis counts them in nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cstor.flows.duplicates import SETS, WAYS, Duplicates
from cstor.ingest import Ingest
from cstor.store.answer import as_json
from cstor.store.series import SeriesReader
from tests.captures import CAPTURES, needs_captures
from tests.conformance.traffic import ethernet, ip_packet, segment
from tests.cstor.flows.reading import analysed
from tests.packets import EPOCH, MS
from tests.wire.packets.frames import mirrored
from wire.packets.batch import MAX_PACKETS, batch_of
from wire.packets.decode import decode_batch
from wire.packets.fragments import new_fragment_table
from wire.packets.layout import DUPLICATE, new_error_counters, new_packets
from wire.packets.pcap import open_capture

WINDOW_NS = 3 * MS


def packet(*, number: int = 7, seq: int = 1000, ttl: int = 64, host: str = "10.0.0.1", length: int = 100) -> bytes:
    body = segment((40000, 443), seq, 0, 16, 1000, b"", length)
    return ip_packet(host, "2001:db8::2" if ":" in host else "10.0.0.2", 6, body, number, ttl)


def marked(*timed: tuple[float, bytes], window_ns: int = WINDOW_NS) -> list[bool]:
    """Which of some (ms, frame) are marked."""
    batch = batch_of([frame for _, frame in timed], [EPOCH + round(ms * MS) for ms, _ in timed])
    out = new_packets(len(timed))
    decode_batch(batch, out, new_error_counters(), new_fragment_table(8))
    duplicates = Duplicates(window_ns)
    duplicates.mark(batch, out)
    found = (out["marks"] & DUPLICATE != 0).tolist()
    assert duplicates.found == sum(found)
    return found


def test_it_marks_what_is_captured_twice() -> None:
    frame = ethernet(packet())
    assert marked((0, frame), (0.5, frame), (2.9, frame)) == [False, True, True]


def test_it_marks_nothing_when_it_is_off() -> None:
    frame = ethernet(packet())
    assert marked((0, frame), (0.1, frame), window_ns=0) == [False, False]


def test_it_forgets_after_the_window() -> None:
    frame = ethernet(packet())
    assert marked((0, frame), (3.1, frame)) == [False, False]


def test_a_copy_does_not_renew_the_time() -> None:
    frame = ethernet(packet())
    assert marked((0, frame), (2, frame), (4, frame)) == [False, True, False]


@pytest.mark.parametrize("other", [packet(ttl=63), packet()])
def test_the_way_there_may_differ(other: bytes) -> None:
    tagged = ethernet(other)[:12] + b"\x81\0\0\x05\x08\0" + other
    assert marked((0, ethernet(packet())), (1, tagged)) == [False, True]


@pytest.mark.parametrize(
    "other", [packet(number=8), packet(seq=1001), packet(host="10.0.0.3"), packet(length=101), packet(length=8)]
)
def test_it_leaves_what_differs(other: bytes) -> None:
    assert marked((0, ethernet(packet())), (0.1, ethernet(other))) == [False, False]


@pytest.mark.parametrize("frame", [ethernet(packet(number=0)), ethernet(packet(host="2001:db8::1"))])
def test_without_a_number_one_millisecond_counts(frame: bytes) -> None:
    assert marked((0, frame), (0.9, frame), (1.9, frame)) == [False, True, False]


def test_the_same_packet_under_another_vni_is_a_copy_and_no_duplicate() -> None:
    one, two = (mirrored(ethernet(packet()), vni) for vni in (5, 6))
    assert marked((0, one), (0.1, two), (0.2, one), (0.3, two)) == [False, False, True, True]


def test_fragments_of_one_datagram_are_no_duplicates() -> None:
    def piece(offset: int, more: bool) -> bytes:
        whole = bytearray(packet())
        whole[6:8] = (offset // 8 | (0x2000 if more else 0)).to_bytes(2, "big")
        whole[20:] = bytes(len(whole) - 20)
        return ethernet(bytes(whole))

    first, second = piece(0, True), piece(120, False)
    assert marked((0, first), (0.1, second), (0.2, second)) == [False, False, True]


def test_times_may_go_back() -> None:
    frame = ethernet(packet())
    assert marked((5, frame), (4, frame), (0, frame)) == [False, True, False]


def test_its_memory_is_bounded_and_the_oldest_goes() -> None:
    count = SETS * WAYS * 2
    frames = [ethernet(packet(seq=number, length=0)) for number in range(count)]
    timed = [(number * 1e-6, frame) for number, frame in enumerate(frames)]
    found = marked(*timed, *((1, frame) for frame in frames[-50:] + frames[:50]))
    assert not any(found[:count])
    newest, oldest = found[count : count + 50], found[count + 50 :]
    assert sum(newest) > 40 > 25 > sum(oldest)


def test_padding_does_not_count() -> None:
    frame = ethernet(packet(length=0))
    assert marked((0, frame), (1, frame + b"\x55" * 6)) == [False, True]


@needs_captures
def test_a_capture_full_of_duplicates_is_a_clean_connection_without_them() -> None:
    assert CAPTURES
    found = {}
    for window_ns in (0, WINDOW_NS):
        out, errors, fragments = new_packets(MAX_PACKETS), new_error_counters(), new_fragment_table(8)
        duplicates = Duplicates(window_ns)
        parts = []
        with open_capture(CAPTURES / "ssh-duplicated-packets.pcap") as reader:
            for batch in reader:
                decode_batch(batch, out, errors, fragments)
                duplicates.mark(batch, out[: batch.packets])
                parts.append(out[: batch.packets].copy())
        found[window_ns] = analysed(np.concatenate(parts))
    dirty, clean = found[0], found[WINDOW_NS]
    packets = ("packets_client", "packets_server")
    doubled = sum(clean.total(f"duplicates_{side}") for side in ("client", "server"))
    assert doubled > 150
    assert sum(map(dirty.total, packets)) == sum(map(clean.total, packets)) + doubled
    for side in ("client", "server"):
        assert dirty.total(f"retransmissions_{side}") > 70
        assert clean.total(f"retransmissions_{side}") == 0


@needs_captures
def test_ingest_stores_duplicates_and_counts_them_apart(tmp_path: Path) -> None:
    assert CAPTURES
    path = CAPTURES / "ssh-duplicated-packets.pcap"
    with Ingest(tmp_path, duplicates_ns=WINDOW_NS) as running:
        running.file(path)
    assert running.summary.packets == 377
    wanted = ["packets_client", "packets_server", "duplicates_client", "duplicates_server"]
    columns = as_json(SeriesReader(tmp_path).answer({"step": 3600, "metrics": wanted}))["columns"]
    assert sum(columns[name][0] for name in wanted) == 377
