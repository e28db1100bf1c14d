"""capture + API, until stopped

Reads a TOML file: name, store, listen, token_file, [[source]] with kind = "vxlan" and listen, [retention]; without one
it receives VXLAN and GENEVE on 127.0.0.1:4789 into var/cstor. SIGTERM or Ctrl-C stops it cleanly.
"""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import threading
from pathlib import Path

from cstor.config import node_config, read_config
from cstor.node import Node


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, metavar="FILE", help="TOML; the variables CSTOR_* win over it")


def run(options: argparse.Namespace) -> int:
    config = read_config(options.config) if options.config else node_config({}, Path.cwd())
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    stopping = threading.Event()
    node = Node(config)
    node.start()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    sources = ", ".join(str(source.get("listen", source["kind"])) for source in config.sources)
    print(f"cstor {config.api.name}: captures on {sources}, API on http://{config.api.listen}", file=sys.stderr)
    try:
        node.run(stopping)
    finally:
        node.stop()
    return 0
