"""From an empty data folder to a console that shows something; every step finds out whether it is done already."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from pathlib import Path

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command
from django.db import transaction

from cclear import __version__, data_dir
from cclear.supervise.layout import Layout
from monitors.builtin import add_node_monitors
from monitors.models import Monitor, Node

Say = Callable[[str], object]

FIRST_USER = "admin"

# Name, filter and keys: what the lab's data centre consists of, and useful first monitors of a real one as well. Where
# the clients are the world, they are kept by network: of single addresses most would fold into `other`.
_SERVICE = ["server_ip", "server_port", "protocol"]
_CONVERSATION = ["client_ip", *_SERVICE]
MONITORS = (
    ("All traffic", "", _SERVICE),
    ("Web tier", "server port 443", ["client_net", *_SERVICE]),
    ("Application tier", "server port 8080", _CONVERSATION),
    ("Database", "server port 5432", _CONVERSATION),
)


def prepare(this_machine: bool, say: Say) -> None:
    _step(say, "Migrating the database", lambda: call_command("migrate", verbosity=0, interactive=False))
    if not static_is_current():
        _step(say, "Collecting static files", collect_static)
    first_user()
    if this_machine:
        layout = Layout.from_environment()
        nodes = add_nodes(layout)
        add_first_monitors(layout, nodes)
    add_capture_monitors()


def _step(say: Say, label: str, work: Callable[[], object]) -> None:
    start = time.monotonic()
    work()
    say(f"{time.strftime('%H:%M:%S')}  {label}: {time.monotonic() - start:.1f} s")


def first_user() -> str | None:
    """An administrator with a generated password, where there is no user yet; returns the password."""
    users = get_user_model().objects
    with transaction.atomic():
        if users.exists():
            return None
        file = settings.DATA_DIR / "first-password"
        # Left by an earlier database: it belongs to nobody any more.
        file.unlink(missing_ok=True)
        password = data_dir.secret(file, 20)
        user = users.create_superuser(FIRST_USER, password=password)
        user.groups.add(Group.objects.get(name="admin"))
    return password


def add_nodes(layout: Layout) -> list[Node]:
    """This machine's capture nodes, with the address and token that they have now."""
    nodes = []
    for node in layout.nodes:
        token = data_dir.secret(layout.token_file(node))
        stored, _ = Node.objects.update_or_create(name=node.name, defaults={"url": node.url, "token": token})
        nodes.append(stored)
    return nodes


def add_first_monitors(layout: Layout, nodes: list[Node]) -> None:
    """Once for a database: what an operator deletes afterwards stays deleted."""
    if Monitor.objects.exists() or (layout.data / "first-monitors").exists():
        return
    with transaction.atomic():
        for name, text, keys in MONITORS:
            monitor = Monitor.objects.create(name=name, filter=text, keys=keys, resolution=1, interval_s=5, top_n=50)
            monitor.nodes.set(nodes)
    (layout.data / "first-monitors").touch(mode=0o600)


def add_capture_monitors() -> None:
    """The nodes' own health, of every node; once, as above."""
    done = Path(settings.DATA_DIR) / "capture-monitors"
    if not done.exists():
        add_node_monitors()
        done.touch(mode=0o600)


def static_is_current() -> bool:
    return not settings.STATIC_MANIFEST or _stamp().exists()


def collect_static() -> None:
    """Collect, compress and name by content; the stamp says from which files, so that a start without news is quick."""
    stamp = _stamp()
    call_command("collectstatic", verbosity=0, interactive=False, clear=True)
    stamp.touch()


def _stamp() -> Path:
    digest = hashlib.blake2b(__version__.encode(), digest_size=8)
    for finder in get_finders():
        for name, storage in finder.list([]):
            status = Path(storage.path(name)).stat()
            digest.update(f"{name} {status.st_size} {status.st_mtime_ns}\n".encode())
    return Path(settings.STATIC_ROOT) / f".collected-{digest.hexdigest()}"
