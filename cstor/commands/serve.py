"""API only, over an existing store

Without --token-file it listens on this machine only. Stops on SIGTERM or Ctrl-C after open answers are finished.
"""

from __future__ import annotations

import argparse
import socket
from pathlib import Path

from cstor.api.server import serve
from cstor.config import DEFAULT_LISTEN, ApiConfig
from cstor.store.layout import existing_store


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--store", required=True, type=Path, metavar="DIR", help="a store made by ingest or run")
    parser.add_argument("--listen", default=DEFAULT_LISTEN, metavar="HOST:PORT", help="default: %(default)s")
    parser.add_argument("--token-file", type=Path, metavar="FILE", help="API tokens, one per line")
    parser.add_argument("--name", default=socket.gethostname(), help="name of the node; default: this host's name")
    parser.add_argument("--captures", action="store_true", help=argparse.SUPPRESS)  # `run` starts its API with it


def run(options: argparse.Namespace) -> int:
    token_file = options.token_file.absolute() if options.token_file else None
    store = existing_store(options.store.absolute())
    return serve(ApiConfig(store, options.name, options.listen, token_file, options.captures))
