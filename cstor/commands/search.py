"""packets of a store that match a filter: counted, planned, or written to a pcap or pcapng file"""

from __future__ import annotations

from cstor.search.command import configure, run

__all__ = ["configure", "run"]
