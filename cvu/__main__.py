"""Command line of the broker: `run` carries packets, `explain` tells what a configuration does with a capture."""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path

from cvu.address import ConfigError, host_and_port
from cvu.api import Api
from cvu.broker import Broker
from cvu.config import load
from cvu.explain import explain, new_explanation
from wire.filters.bpf import LibpcapMissing
from wire.packets.pcap import CaptureError

DONE, FAILED = 0, 1


def main(arguments: list[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    try:
        status: int = options.command(options)
    except (ConfigError, CaptureError, LibpcapMissing) as error:
        print(f"cvu: {error}", file=sys.stderr)
        return FAILED
    except (KeyboardInterrupt, BrokenPipeError):
        return DONE
    return status


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="python -m cvu", description="A packet broker for mirrored cloud traffic.")
    commands = top.add_subparsers(required=True, metavar="COMMAND")

    run = commands.add_parser("run", help="receive mirror traffic and feed the outputs, until stopped")
    run.add_argument("--config", type=Path, required=True, metavar="FILE", help="TOML; see cvu/config.py")
    run.set_defaults(command=run_broker)

    what = commands.add_parser(
        "explain", help="tell which rule takes each packet of a capture, what each output gets, rules never reached"
    )
    what.add_argument("--config", type=Path, required=True, metavar="FILE", help="TOML; see cvu/config.py")
    what.add_argument("--pcap", type=Path, required=True, metavar="FILE", help="a pcap or pcapng file")
    what.add_argument("--summary", action="store_true", help="leave out the line for each packet")
    what.set_defaults(command=explain_capture)
    return top


def run_broker(options: argparse.Namespace) -> int:
    config = load(options.config)
    broker = Broker(config)
    api = Api(broker.stats, *host_and_port(config.http, "http")) if config.http else None
    broker.start()
    # Only now: whoever stops us while kernels are compiled need not wait for them.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: broker.stop())
    if api is not None:
        api.start()
    host, port = broker.address
    outputs = ", ".join(f"{output.name} ({output.kind} {output.to})" for output in config.outputs) or "none"
    print(f"cvu: listens on {host}:{port}; outputs: {outputs}", flush=True)
    broker.run()
    if api is not None:
        api.stop()
    stats = broker.stats
    print(
        f"cvu: {stats.received_packets} packets received, {stats.dropped_by_kernel} dropped by the kernel", flush=True
    )
    return DONE


def explain_capture(options: argparse.Namespace) -> int:
    config = load(options.config)
    explanation = new_explanation(config)
    for line in explain(config, options.pcap, explanation, not options.summary):
        print(line)
    print("\n".join(explanation.summary()))
    return DONE


if __name__ == "__main__":
    sys.exit(main())
