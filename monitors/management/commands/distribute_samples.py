"""Spread groups and samples over the servers of a Citus cluster, by monitor."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError

from monitors.series import distributed


class Command(BaseCommand):
    help = (
        "Distribute groups and samples by monitor over the servers of a Citus cluster. Stop the workers before; tables"
        " that are distributed already are left alone, so it may be repeated. Where Citus is not present nothing is"
        " changed."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--sql", action="store_true", help="print the statements, run none")

    def handle(self, *args: Any, sql: bool, **options: Any) -> None:
        if sql:
            for statement in distributed.statements().values():
                self.stdout.write(f"{statement};")
            return
        try:
            tables = distributed.distribute()
        except distributed.CannotDistribute as reason:
            raise CommandError(str(reason)) from None
        except DatabaseError as error:
            raise CommandError(f"The database refused: {str(error).strip()}") from None
        for table in tables:
            self.stdout.write(f"{table}: distributed by {distributed.BY}")
        if not tables:
            self.stdout.write("All tables are distributed already.")
