"""Command line of the lab: `run` sends mirror traffic, `pcap` writes it to a file, `truth` tells what it measures."""

from __future__ import annotations

import argparse
import json
import signal
import socket
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

from lab.live import Live, LiveConfig
from lab.scenario import Scenario, discover
from lab.truth import window
from lab.truthfile import read

DONE, FAILED = 0, 1


class ListScenarios(argparse.Action):
    """Prints the scenarios, a line each, and ends."""

    def __init__(self, option_strings: list[str], dest: str, **named: Any) -> None:
        super().__init__(option_strings, dest, nargs=0, **named)

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        for name, scenario in discover().items():
            print(f"{name:10} {scenario.description}")
        parser.exit(DONE)


def main(arguments: list[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    try:
        status: int = options.command(options)
    except KeyboardInterrupt:
        return DONE
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        print(f"lab: {where}{error.strerror or error}", file=sys.stderr)
        return FAILED
    return status


def parser() -> argparse.ArgumentParser:
    scenarios = discover()
    top = argparse.ArgumentParser(prog="python -m lab", description="A make-believe data centre under mirroring.")
    top.add_argument("--list", action=ListScenarios, help="list the scenarios and end")
    commands = top.add_subparsers(required=True, metavar="COMMAND")

    run = commands.add_parser("run", help="send VXLAN mirror traffic in real time")
    run.add_argument("--to", type=address, required=True, metavar="HOST:PORT", help="the broker's VXLAN socket")
    run.add_argument("--truth", type=Path, metavar="FILE", help="keep the ground truth of the last ten minutes here")
    run.add_argument("--seconds", type=positive, metavar="S", help="end after this time (default: when stopped)")
    run.set_defaults(command=run_live)

    pcap = commands.add_parser("pcap", help="write the same as a capture, with its ground truth as FILE.json")
    pcap.add_argument("-w", dest="file", type=Path, required=True, metavar="FILE", help="the pcap file to write")
    pcap.add_argument("--seconds", type=positive, default=60.0, metavar="S", help="how much traffic (default 60)")
    pcap.add_argument("--start", type=instant, metavar="T", help="time of the first packet (default 2024-01-01)")
    pcap.set_defaults(command=write_pcap)

    for command in (run, pcap):
        command.add_argument("--scenario", choices=scenarios.keys(), default="default", help="default: default")
        command.add_argument("--seed", type=int, default=1, metavar="N", help="the same seed, the same traffic")
        command.add_argument("--rate", type=positive, default=1.0, metavar="X", help="times as many visits")
        command.add_argument("--list", action=ListScenarios, help="list the scenarios and end")

    truth = commands.add_parser("truth", help="print the ground truth of a range of whole ten-second slices")
    truth.add_argument("file", type=Path, metavar="FILE")
    truth.add_argument("--from", dest="start", type=instant, default=0.0, metavar="T", help="RFC 3339 or epoch seconds")
    truth.add_argument("--to", dest="end", type=instant, default=float("inf"), metavar="T", help="not included")
    truth.set_defaults(command=print_truth)
    return top


def run_live(options: argparse.Namespace) -> int:
    config = LiveConfig(scenario_of(options), options.to, options.seed, options.rate, options.seconds, options.truth)
    live = Live(config, lambda line: print(f"lab: {line}", flush=True))
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: live.stop())
    host, port = options.to
    print(f"lab: scenario {options.scenario} goes to {host}:{port}", flush=True)
    live.run()
    print(f"lab: {live.packets} packets sent, {live.send_errors} not", flush=True)
    return DONE


def write_pcap(options: argparse.Namespace) -> int:
    if not options.file.absolute().parent.is_dir():
        print(f"lab: there is no folder {options.file.absolute().parent}; make it first", file=sys.stderr)
        return FAILED
    # Numba comes with the capture writer; `run` starts without it.
    from lab.capture import START_S, write_capture

    def progress(share: float) -> None:
        if sys.stderr.isatty():
            print(f"\r{100 * share:3.0f} %", end="\r" if share < 1 else "\n", file=sys.stderr, flush=True)

    start_s = START_S if options.start is None else options.start
    packets = write_capture(
        scenario_of(options), options.file, options.seconds, options.seed, options.rate, start_s, progress
    )
    print(json.dumps({"file": str(options.file), "truth": f"{options.file}.json", "packets": packets}))
    return DONE


def print_truth(options: argparse.Namespace) -> int:
    try:
        document = read(options.file)
    except ValueError:
        print(f"lab: {options.file} is not a truth file; `lab run --truth FILE` writes one", file=sys.stderr)
        return FAILED
    print(json.dumps(window(document, options.start, options.end), indent=1))
    return DONE


def scenario_of(options: argparse.Namespace) -> Scenario:
    return discover()[options.scenario]


def address(text: str) -> tuple[str, int]:
    """HOST:PORT to what a socket takes; the name is looked up once."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT, such as 127.0.0.1:4789")
    try:
        found = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_DGRAM)[0][4]
    except OSError as error:
        raise argparse.ArgumentTypeError(f"host {host!r}: {error.strerror}") from None
    return str(found[0]), int(found[1])


def positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return value


def instant(text: str) -> float:
    """Epoch seconds, or RFC 3339."""
    try:
        return float(text)
    except ValueError:
        pass
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is neither epoch seconds nor a time such as 2024-01-01T00:00:00Z"
        ) from None
    if when.tzinfo is None:
        raise argparse.ArgumentTypeError(f"{text!r} does not say its time zone; append Z for UTC")
    return when.timestamp()


if __name__ == "__main__":
    sys.exit(main())
