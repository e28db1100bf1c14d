"""capture + API, until stopped

Reads a TOML file: name, store, listen, token_file, [[source]] tables (docs/capture.md), [retention]; without one it
stores into var/cstor what comes as VXLAN and GENEVE on 127.0.0.1:4789, or, if standard input is a pipe, the capture
that comes there: tcpdump -U -w - | python -m cstor run. SIGTERM or Ctrl-C stops it cleanly.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cstor.config import node_config, read_config
from cstor.node import Node

log = logging.getLogger("cstor")


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, metavar="FILE", help="TOML; the variables CSTOR_* win over it")


def run(options: argparse.Namespace) -> int:
    config = read_config(options.config) if options.config else node_config(_without_file(), Path.cwd())
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    # A plain list: a signal may interrupt this thread while it holds the lock of an Event, which `set` then waits for.
    stopping: list[int] = []
    node = Node(config)
    node.start()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: stopping.append(number))
    sources = ", ".join(_where(source) for source in config.sources)
    # By the log: where that lies on the disk that is full, a print would end the node.
    log.info("%s captures on %s, API on http://%s", config.api.name, sources, config.api.listen)
    try:
        node.run(lambda: bool(stopping))
    finally:
        node.stop()
    return 0


def _without_file() -> dict[str, Any]:
    if stat.S_ISFIFO(os.fstat(0).st_mode):
        return {"source": [{"kind": "pipe", "path": "-"}]}
    return {}


def _where(source: Mapping[str, Any]) -> str:
    """What a person calls a source: its kind, and what it listens on."""
    place = next((str(source[key]) for key in ("interface", "listen", "path") if key in source), "")
    return f"{source['kind']} {place}".strip()
