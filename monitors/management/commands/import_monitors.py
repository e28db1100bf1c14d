"""Takes in a file of monitors as a whole or not at all; run again with the same file it changes nothing."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser

from monitors.exchange.entry import FileError
from monitors.exchange.plan import FORMATS, ImportPlan, ImportRefused, apply, format_of, make_plan


class Command(BaseCommand):
    help = "Take in monitors from a YAML or CSV file; --dry-run only says what it would do."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", help="the file, - for standard input")
        parser.add_argument("--dry-run", action="store_true", help="change nothing")
        parser.add_argument("--format", choices=list(FORMATS), help="without it by the file's name, else by its text")
        parser.add_argument("--user", help="whom the history names; without it the first administrator")

    def handle(self, *args: Any, **options: Any) -> None:
        name, text = options["file"], self._text(options["file"])
        try:
            plan = make_plan(text, options["format"] or format_of(name, text))
        except FileError as error:
            raise CommandError(f"{name}: {error}") from None
        self._tell(plan)
        if options["dry_run"]:
            if plan.is_wrong:
                raise CommandError(f"{plan.summary}; nothing would be imported")
            self.stdout.write(f"{plan.summary}; nothing was changed")
            return
        try:
            apply(plan, self._user(options["user"]), "import by command")
        except ImportRefused as refused:
            raise CommandError(str(refused)) from None
        self.stdout.write(plan.summary)

    def _text(self, name: str) -> str:
        try:
            data = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
            return data.decode("utf-8-sig")
        except OSError as error:
            raise CommandError(f"{name}: {error.strerror}") from None
        except UnicodeDecodeError:
            raise CommandError(f"{name}: is not UTF-8 text") from None

    def _user(self, name: str | None) -> Any:
        users = get_user_model().objects.order_by("pk")
        if name:
            found = users.filter(username=name).first()
            if found is None:
                raise CommandError(f"no user is called {name!r}")
            return found
        return users.filter(is_superuser=True).first()

    def _tell(self, plan: ImportPlan) -> None:
        for item in plan.items:
            self.stdout.write(f"line {item.line}: {item.status} {item.name}")
            for line in (*map(str, item.changes), *item.problems):
                self.stdout.write(f"  {line}")
