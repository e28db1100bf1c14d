"""`manage.py prepare`: bring database and static files up to date, and make the first user; safe to repeat."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from cclear import first_run


class Command(BaseCommand):
    help = "Migrate the database, collect static files and, on the first run, make the first user."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--this-machine", action="store_true", help="also add this machine's capture nodes and first monitors"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        first_run.prepare(this_machine=options["this_machine"], say=self.stdout.write)
