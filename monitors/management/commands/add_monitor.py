"""Adds a monitor, or brings the one of that name up to date, with the checks of the form: for scripts, `make run`."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from monitors.exchange.document import Names, defaults_of, document, form_data
from monitors.forms.monitor import MonitorForm
from monitors.models import Monitor, Node
from monitors.models.monitor import DEFAULT_KEYS, RESOLUTIONS


class Command(BaseCommand):
    help = "Add a monitor; done again with the same name, it updates filter, nodes and keys."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name")
        parser.add_argument(
            "--filter", default="", help="such as 'net 10.0.0.0/8 and tcp port 443'; empty: all traffic"
        )
        parser.add_argument("--nodes", default="", help="names with commas between them; empty: all nodes")
        parser.add_argument("--keys", default=",".join(DEFAULT_KEYS), help="keys to group by, with commas between them")
        parser.add_argument("--kind", default="network_health")
        parser.add_argument("--resolution", type=int, default=10, choices=[step for step, _ in RESOLUTIONS])
        parser.add_argument("--interval", type=int, default=10, help="seconds between pulls")
        parser.add_argument("--top", type=int, default=50)

    def handle(self, *args: Any, **options: Any) -> None:
        names = [name for name in options["nodes"].split(",") if name]
        nodes = Node.objects.filter(name__in=names) if names else Node.objects.all()
        unknown = sorted(set(names) - {node.name for node in nodes})
        if unknown:
            raise CommandError(f"no node is called {unknown[0]!r}; add it with add_node")
        monitor = Monitor.objects.filter(name=options["name"]).first()
        kept = document(monitor) if monitor else defaults_of(options["kind"])
        data = {
            **form_data({**kept, "nodes": []}, Names())[0],
            "name": options["name"],
            "kind": options["kind"],
            "filter": options["filter"],
            "nodes": [node.pk for node in nodes],
            "keys": [key for key in options["keys"].split(",") if key],
            "resolution": options["resolution"],
            "interval_s": options["interval"],
            "top_n": options["top"],
            "enabled": True,
        }
        form = MonitorForm(data, instance=monitor)
        if not form.is_valid():
            raise CommandError(
                "\n".join(f"{name}: {error}" for name, errors in form.errors.items() for error in errors)
            )
        monitor = form.save()
        self.stdout.write(f"monitor {monitor.pk} {monitor.slug}")
