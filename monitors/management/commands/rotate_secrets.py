"""A new key for the tokens of nodes; may be killed and repeated at any moment."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from monitors import rotation
from monitors.secrets import KeyProblem, key_file


class Command(BaseCommand):
    help = (
        "Encrypt the tokens of all nodes and node groups with a new key and remove the old one. Running processes"
        " follow by themselves. Where several hosts share the database: --add, copy the key file to each host,"
        " --finish, copy it again."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        part = parser.add_mutually_exclusive_group()
        part.add_argument("--add", action="store_true", help="only put a new key into the file")
        part.add_argument("--finish", action="store_true", help="only encrypt with the file's first key, drop the rest")

        part.add_argument(
            "--forget", action="store_true", help="the keys are lost: remove the tokens that none fits, begin a new key"
        )

    def handle(self, *args: Any, add: bool, finish: bool, forget: bool, **options: Any) -> None:
        try:
            if forget:
                for name in rotation.forget():
                    self.stdout.write(f"{name}: its token is removed: write it again")
                return
            if add:
                rotation.add_key()
                self.stdout.write(f"{key_file()} has a new first key. Copy it to the other hosts, then run --finish.")
                return
            done = rotation.finish() if finish else rotation.rotate()
        except KeyProblem as problem:
            raise CommandError(str(problem)) from None
        self.stdout.write(f"{done.encrypted} tokens encrypted anew, {done.removed_keys} old keys removed")
        for name in done.unreadable:
            self.stdout.write(f"{name}: no key fits its token: write it again")
