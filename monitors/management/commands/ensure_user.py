"""Creates the first user with a generated password, once: `make run` calls it on every start."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction


class Command(BaseCommand):
    help = "Create the first user, an administrator, with a generated password. Does nothing where a user exists."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--username", default="admin")
        parser.add_argument(
            "--password-file", type=Path, help="written with mode 0600; without it the password is only printed"
        )

    def handle(self, *args: Any, username: str, password_file: Path | None, **options: Any) -> None:
        users = get_user_model()
        with transaction.atomic():
            if users.objects.exists():
                self.stdout.write("A user exists already.")
                return
            password = secrets.token_urlsafe(12)
            user = users.objects.create_superuser(username=username, password=password)
            user.groups.add(Group.objects.get(name="admin"))
            if password_file is not None:
                _write_private(password_file, f"{username}\n{password}\n")
        self.stdout.write(f"Login {username}, password {password}")


def _write_private(path: Path, text: str) -> None:
    """Readable by its owner only from the first byte on."""
    try:
        path.unlink(missing_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(text)
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}; give another --password-file") from None
