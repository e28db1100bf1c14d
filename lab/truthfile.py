"""The ground truth as a file: JSON, complete at any moment, by rename.

`services`, `tiers`, `copies` and `total` sum up the range `from` to `to`; `slices` holds the samples themselves (ns),
ten seconds each, from which `lab.truth.window` (or `python -m lab truth`) tells any other range.
"""

from __future__ import annotations

import json
import os
from collections import deque
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from lab.hosts import Host
from lab.truth import summarize

FORMAT = 1


class TruthFile:
    """A truth file that is written again and again. A closed slice is turned into text once, since `lab run` has to
    send packets in between and must not stand still for long."""

    def __init__(self, path: Path, about: dict[str, Any], keep_slices: int | None, sum_up_slices: int | None) -> None:
        self._path = path
        self._about = {"format": FORMAT} | about
        self._texts: deque[str] = deque(maxlen=keep_slices)
        self._latest: deque[dict[str, Any]] = deque(maxlen=sum_up_slices)

    def add(self, part: dict[str, Any]) -> None:
        """Take a closed slice."""
        self._texts.append(json.dumps(part, separators=(",", ":")))
        self._latest.append(part)

    def write(self, hosts: Iterable[Host]) -> None:
        """Put the file in place, whole."""
        head = self._about | summarize(self._latest) | {"interfaces": interfaces(hosts)}
        text = json.dumps(head, indent=1)[:-2] + ',\n "slices": [\n' + ",\n".join(self._texts) + "\n]}\n"
        hidden = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        hidden.write_text(text)
        hidden.replace(self._path)


def interfaces(hosts: Iterable[Host]) -> list[dict[str, Any]]:
    """What each mirrored interface has mirrored since the start."""
    return [
        {
            "vni": host.interface.vni,
            "host": host.name,
            "packets": host.interface.packets,
            "ip_bytes": host.interface.ip_bytes,
        }
        for host in hosts
        if host.interface is not None
    ]


def read(path: Path) -> dict[str, Any]:
    """A truth file as a document."""
    document: dict[str, Any] = json.loads(path.read_text())
    return document
