#!/usr/bin/env python
"""Django's command line for cClear; `python -m cclear.services -- python manage.py ...` starts its servers."""

from __future__ import annotations

import os
import sys


def main() -> int:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cclear.settings")
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line
    from django.db.utils import OperationalError

    from cclear.environment import database_help

    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        print(f"cclear: {error}", file=sys.stderr)
        return 1
    except OperationalError as error:
        print(f"cclear: {database_help(error)}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
