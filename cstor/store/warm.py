"""Load the kernels of series before somebody waits for them: after an update they are compiled, which takes time."""

from __future__ import annotations

import tempfile
import threading
from pathlib import Path

import numpy as np

from cstor.buckets.second import BIN, CELL, CONVERSATION, DENSE, ClosedSecond
from cstor.store.answer_text import as_text
from cstor.store.layout import open_store
from cstor.store.sequence import Sequence
from cstor.store.series import SeriesReader
from cstor.store.writer import StoreWriter

ROWS = 400
QUESTIONS = (
    {"by": ["client_ip", "server_ip"], "totals": True, "encoding": "packed", "step": 10},
    {"by": ["host"], "filter": "server port 0", "keep": [{"host": "10.0.0.1"}], "order": ["packets"]},
    {"metrics": ["bytes", "response_time"], "filter": "net 10.0.0.0/8"},
    {"by": ["server_port"], "points": "all"},
)


def warm_up() -> None:
    """Ask a store of a few seconds, through every kernel that a question of the last minutes may need."""
    with tempfile.TemporaryDirectory(prefix="cstor-warm-") as folder:
        root = open_store(Path(folder))
        writer = StoreWriter(root, Sequence(root), live=True)
        writer.add_seconds([_second(t) for t in range(100, 112)])
        reader = SeriesReader(root)
        for question in QUESTIONS:
            as_text(reader.answer({"from": 100, "to": 110, **question}))
        reader.close()
        writer.close()


def _second(t: int) -> ClosedSecond:
    keys, dense = np.zeros(ROWS, CONVERSATION), np.ones((ROWS, len(DENSE)), np.int64)
    keys["client_lo"] = (0xFFFF << 32) + np.arange(ROWS)
    keys["vni"], keys["vlan"] = -1, -1
    cells, bins = np.ones(1, CELL), np.ones(1, BIN)
    return ClosedSecond(t, keys, dense, cells, bins)


def warm_up_aside() -> None:
    """The same in a thread, so that the API answers other calls meanwhile."""
    threading.Thread(target=warm_up, name="series-warm-up", daemon=True).start()
