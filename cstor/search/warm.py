"""Load the kernels of a search before somebody waits for one: after an update they are compiled, which takes time."""

from __future__ import annotations

import tempfile
import threading
from pathlib import Path

from cstor.search.export import encoded
from cstor.search.run import search
from cstor.store.catalog import Segment, pack_head, sealed_path
from cstor.store.layout import LIVE
from wire.filters.bpf import LibpcapMissing
from wire.packets.pcap import PcapWriter

EVERYTHING = "not tcp or vni 1 or client host 127.0.0.1"
TIME_NS = 1_000_000_000
WARM = threading.Event()  # set once nothing is left to be compiled


def warm_up() -> None:
    """Search a store of two packets that are merged, through every kernel that a search may need."""
    with tempfile.TemporaryDirectory(prefix="cstor-warm-") as folder:
        store = Path(folder)
        (store / LIVE).mkdir()
        for sequence in (1, 2):
            _segment(store, sequence)
        try:
            for form in ("pcap", "pcapng"):
                for _ in encoded(search(store, EVERYTHING), form):
                    pass
        except LibpcapMissing:
            return  # said when somebody searches
    WARM.set()


def _segment(store: Path, sequence: int) -> None:
    path = sealed_path(store, f"{TIME_NS}-{sequence:010d}.pcap")
    path.parent.mkdir(parents=True, exist_ok=True)
    with PcapWriter(path) as writer:
        writer.write_frame(bytes(64), TIME_NS)
    segment = Segment(path, writer.link_type, TIME_NS, TIME_NS, 1, path.stat().st_size, ordered=True)
    path.with_suffix(".idx").write_bytes(pack_head(segment))


def warm_up_aside() -> None:
    """The same in a thread, so that the API answers other calls meanwhile."""
    threading.Thread(target=warm_up, name="search-warm-up", daemon=True).start()
