"""Command line of the capture node: `python -m cstor COMMAND`. Each command is a file in cstor/commands/.

Exit status: 0 done, 1 failed, 2 wrong usage. Errors are one line that says what to do.
"""

from __future__ import annotations

import argparse
import importlib
import os
import pkgutil
import signal
import sys
from collections.abc import Sequence
from types import ModuleType

from cstor import commands
from cstor.errors import EXPECTED, UsageError
from wire.filters.error import FilterError

FAILED, WRONG_USAGE = 1, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit status."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    # SIGTERM ends a command as Ctrl-C does; `run` and `serve` set handlers of their own.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        options = _parser(given).parse_args(given)
        status: int = options.command.run(options)
        sys.stdout.flush()
        return status
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the reader left: nothing more to say
        return FAILED
    except KeyboardInterrupt:
        print("cstor: interrupted", file=sys.stderr)
        return FAILED
    except (UsageError, FilterError) as error:
        print(f"cstor: {error}", file=sys.stderr)
        if isinstance(error, FilterError) and error.text:
            print(error.pointer(), file=sys.stderr)
        return WRONG_USAGE
    except EXPECTED as error:
        print(f"cstor: {_one_line(error)}", file=sys.stderr)
        return FAILED


def _one_line(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return " ".join(str(error).split())


def _parser(given: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m cstor", description="cStor, the capture node of cClear.")
    names = sorted(found.name for found in pkgutil.iter_modules(commands.__path__))
    chosen = [name for name in names if given and given[0] == name]
    entries = parser.add_subparsers(metavar="COMMAND", required=True)
    # Only the chosen command is imported: `sessions` starts without waiting for what `ingest` needs.
    for name in chosen or names:
        _add(entries, name, importlib.import_module(f"cstor.commands.{name}"))
    return parser


def _add(entries: argparse._SubParsersAction[argparse.ArgumentParser], name: str, module: ModuleType) -> None:
    text = (module.__doc__ or "").strip()
    entry = entries.add_parser(
        name, help=text.split("\n")[0], description=text, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    module.configure(entry)
    entry.set_defaults(command=module)


if __name__ == "__main__":
    sys.exit(main())
