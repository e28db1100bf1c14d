"""Writes monitors as YAML or CSV: the file that import_monitors and the import page take."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from monitors.exchange.plan import FORMATS, format_of, write
from monitors.models import Monitor


class Command(BaseCommand):
    help = "Write all monitors, or those that are named, as YAML or CSV."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("names", nargs="*", help="names or slugs; none: all")
        parser.add_argument("--output", "-o", type=Path, help="the file; without it the text is printed")
        parser.add_argument("--format", choices=list(FORMATS), help="without it by the file's name, else yaml")
        parser.add_argument("--tag", help="only monitors with this tag")

    def handle(self, *args: Any, **options: Any) -> None:
        found = Monitor.objects.prefetch_related("nodes", "groups")
        if options["tag"]:
            found = found.filter(tags__contains=[options["tag"]])
        chosen = list(found)
        if options["names"]:
            by_name = {key: monitor for monitor in chosen for key in (monitor.slug, monitor.name)}
            unknown = [name for name in options["names"] if name not in by_name]
            if unknown:
                raise CommandError(f"no monitor is called {unknown[0]!r}")
            chosen = list({by_name[name].pk: by_name[name] for name in options["names"]}.values())
        output: Path | None = options["output"]
        form = options["format"] or (format_of(output.name, "") if output else "yaml")
        text = write(chosen, form)
        if output is None:
            self.stdout.write(text, ending="")
            return
        try:
            output.write_text(text, encoding="utf-8")
        except OSError as error:
            raise CommandError(f"{output}: {error.strerror}") from None
        self.stdout.write(f"{len(chosen)} monitors written to {output}")
