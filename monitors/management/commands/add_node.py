"""Adds a node, or brings the one of that name up to date: for scripts and for `make run`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from monitors.forms.secret import has_token, is_elsewhere
from monitors.models import Node
from monitors.nodes import health


class Command(BaseCommand):
    help = "Add a cStor node by its name and the address of its API; done again, it updates the address and token."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name")
        parser.add_argument("url", help="http://HOST:PORT")
        parser.add_argument("--token-file", type=Path, help="file whose first line is the node's bearer token")
        parser.add_argument("--ca-file", type=Path, help="PEM file of the authority that signed the node's certificate")
        parser.add_argument("--insecure", action="store_true", help="do not verify the TLS certificate")
        parser.add_argument(
            "--check", action="store_true", help="ask the node for its status; exit 1 if it does not answer"
        )

    def handle(
        self,
        *args: Any,
        name: str,
        url: str,
        token_file: Path | None,
        ca_file: Path | None,
        insecure: bool,
        check: bool,
        **options: Any,
    ) -> None:
        node = Node.objects.filter(name=name).first() or Node(name=name)
        before, node.url, node.verify_tls = node.url, url.rstrip("/"), not insecure
        try:
            if token_file is not None:
                node.token = token_file.read_text().split()[0]
            if ca_file is not None:
                node.ca_certificate = ca_file.read_text()
        except IndexError:
            raise CommandError(f"{token_file}: no token in it") from None
        except (OSError, UnicodeDecodeError) as error:
            raise CommandError(str(error)) from None
        try:
            node.full_clean()
        except ValidationError as error:
            raise CommandError("; ".join(error.messages)) from None
        if token_file is None and has_token(node) and is_elsewhere(before, node.url):
            raise CommandError(f"the stored token of {name} is for {before}: give that of {url} by --token-file")
        node.save()
        problem = health.check(node, time.time()) if check else ""
        if problem:
            raise CommandError(f"node {name} is added, but {problem}")
        self.stdout.write(f"node {node.pk} {name} {node.url}")
