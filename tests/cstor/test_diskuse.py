"""Disk use by dataset, counted beside whoever asks."""

from __future__ import annotations

import time
from pathlib import Path

from cstor.diskuse import DiskUse, count_disk
from cstor.store.layout import DATASETS, open_store


def test_it_counts_files_and_bytes_by_dataset(tmp_path: Path) -> None:
    root = open_store(tmp_path / "store")
    folder = root / "packets" / "date=2026-01-01"
    folder.mkdir(parents=True)
    (folder / "a.pcap").write_bytes(bytes(100))
    (folder / "b.pcap").write_bytes(bytes(11))
    found = count_disk(root)
    assert set(found["used"]) == {"packets", *DATASETS, "live"}
    assert found["used"]["packets"] == {"files": 2, "bytes": 111}
    assert 0 < found["free_bytes"] <= found["total_bytes"]


def test_it_answers_at_once_and_counts_anew_beside(tmp_path: Path) -> None:
    root = open_store(tmp_path / "store")
    use = DiskUse(root, every_s=0.0)
    (root / "live" / "a.log").write_bytes(bytes(7))
    end = time.monotonic() + 30
    while use.now()["used"]["live"]["bytes"] != 7:
        assert time.monotonic() < end
        time.sleep(0.01)
