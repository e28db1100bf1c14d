"""Members of a group that are found by DNS: every address that the host name of `NodeGroup.address` stands for.

Each group is looked at at most every 30 seconds, whoever asks: `looked_at` is the lease. What is found is written in
one transaction under one lock, so that two workers at once make no double. A name that does not resolve changes
nothing, since DNS fails more often than clusters do; a member leaves only when DNS names others instead.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit, urlunsplit

from django.db import connection, transaction
from django.db.models import F, Q

from monitors.models import Node, NodeGroup, Origin
from monitors.nodes.client import NodeClient, NodeError
from monitors.nodes.resolve import ResolveError, is_address, resolve
from monitors.series.tiers import UTC

EVERY_S = 30
# A node that is asked for its name the first time: it may as well not be there.
NAME_S = 5.0
MOST = 256
# Any fixed number: whoever makes nodes by themselves, found or announced, takes its turn.
LOCK = 0x63436C_03


def claim(now: float) -> list[int]:
    """Groups whose turn it is; whoever gets one here looks, and nobody else for the next seconds."""
    moment = dt.datetime.fromtimestamp(now, UTC)
    due = Q(looked_at=None) | Q(looked_at__lte=moment - dt.timedelta(seconds=EVERY_S))
    with transaction.atomic():
        free = NodeGroup.objects.filter(due).exclude(address="").select_for_update(skip_locked=True)
        groups = sorted(free.values_list("pk", flat=True))
        NodeGroup.objects.filter(pk__in=groups).update(looked_at=moment)
    return groups


def look(group_id: int, now: float) -> str:
    """Resolve the group's address and bring its members in line; the error in plain words, or nothing."""
    group = NodeGroup.objects.filter(pk=group_id).exclude(address="").first()
    if group is None:
        return ""
    try:
        urls = urls_of(group.address)
    except ResolveError as problem:
        NodeGroup.objects.filter(pk=group_id, address=group.address).update(error=str(problem))
        return str(problem)
    _bring_in_line(group, urls, _told_names(group, urls), dt.datetime.fromtimestamp(now, UTC))
    return ""


def urls_of(address: str) -> list[str]:
    """The URLs of all machines behind an address; a host that is an address already is the one machine."""
    parts = urlsplit(address)
    found = resolve(str(parts.hostname))[:MOST]
    if not found:
        raise ResolveError(f"the host name {parts.hostname} stands for no address that can be reached")
    hosts = [f"[{host}]" if ":" in host else host for host in found]
    port = f":{parts.port}" if parts.port else ""
    return [urlunsplit((parts.scheme, host + port, parts.path.rstrip("/"), "", "")) for host in hosts]


def member_of(group: NodeGroup, url: str) -> Node:
    """A node behind the group's address as it would be made: certificates are for the name, not for the address."""
    host = str(urlsplit(group.address).hostname)
    named = group.address.startswith("https:") and not is_address(host)
    return Node(
        name=f"{group.name[:60]} {urlsplit(url).netloc}"[:100],
        url=url,
        token=group.token,
        verify_tls=group.verify_tls,
        ca_certificate=group.ca_certificate,
        tls_name=host if named else "",
        origin=Origin.FOUND,
        found_by=group,
    )


def take_turn() -> None:
    """Within a transaction: until its end nobody else makes nodes by themselves."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])


def free_name(wanted: str, but: int | None = None) -> str:
    """`wanted`, or with a number where another node has that name."""
    name, n = wanted[:100], 1
    taken = Node.objects.all() if but is None else Node.objects.exclude(pk=but)
    while taken.filter(name=name).exists():
        n += 1
        name = f"{wanted[:90]} ({n})"
    return name


def _told_names(group: NodeGroup, urls: Sequence[str]) -> dict[str, str]:
    """What machines that are new here call themselves; empty where one does not answer."""
    known = set(Node.objects.filter(url__in=urls).values_list("url", flat=True))
    new = [member_of(group, url) for url in urls if url not in known]
    if not new:
        return {}
    with ThreadPoolExecutor(min(16, len(new))) as pool:
        return dict(zip([node.url for node in new], pool.map(_told_name, new), strict=True))


def _told_name(node: Node) -> str:
    try:
        name = NodeClient(node, read_s=NAME_S, whole_s=NAME_S).status().get("name")
    except NodeError:
        return ""
    return name.strip()[:100] if isinstance(name, str) else ""


def _bring_in_line(group: NodeGroup, urls: Sequence[str], names: dict[str, str], moment: dt.datetime) -> None:
    with transaction.atomic():
        take_turn()
        locked = NodeGroup.objects.select_for_update().filter(pk=group.pk, address=group.address).first()
        if locked is None:
            return
        present = [_member(locked, url, names.get(url, ""), urls) for url in urls]
        locked.nodes.add(*present)
        gone = locked.nodes.filter(origin=Origin.FOUND, found_by=locked).exclude(pk__in=[node.pk for node in present])
        _leave(locked, list(gone), moment)
        NodeGroup.objects.filter(pk=locked.pk).update(error="", looked_at=moment)


def _member(group: NodeGroup, url: str, told: str, urls: Sequence[str]) -> Node:
    """The node of this URL: known, moved here from an address that is no more, or new."""
    wanted = member_of(group, url)
    node = Node.objects.filter(url=url).order_by(F("left_at").asc(nulls_first=True), "pk").first()
    if node is None and told:
        node = Node.objects.filter(found_by=group, name=told).exclude(url__in=urls).first()
    if node is None:
        wanted.name = free_name(told or wanted.name)
        wanted.save(force_insert=True)
        return wanted
    if node.origin == Origin.FOUND and node.found_by_id in (group.pk, None):
        _refresh(node, wanted, told)
    return node


def _refresh(node: Node, wanted: Node, told: str) -> None:
    """Settings are the group's; a name is taken over as soon as the node tells one."""
    says = told or node.status.get("name")
    if node.name == wanted.name and isinstance(says, str) and says.strip():
        wanted.name = free_name(says.strip(), node.pk)
    else:
        wanted.name = node.name
    fields = ("name", "url", "token", "verify_tls", "ca_certificate", "tls_name", "found_by_id", "left_at")
    changed = [field for field in fields if getattr(node, field) != getattr(wanted, field)]
    for field in changed:
        setattr(node, field, getattr(wanted, field))
    if {"url", "token", "verify_tls", "ca_certificate", "tls_name", "left_at"} & set(changed):
        node.retry_at, node.failures, node.checked_at, node.error = None, 0, None, ""
        changed += ["retry_at", "failures", "checked_at", "error"]
    if changed:
        node.save(update_fields=[field.removesuffix("_id") for field in changed])


def _leave(group: NodeGroup, gone: Sequence[Node], moment: dt.datetime) -> None:
    """They keep their history; who is still a member elsewhere goes on there."""
    group.nodes.remove(*gone)
    ids = [node.pk for node in gone]
    Node.objects.filter(pk__in=ids, groups=None, left_at=None).update(left_at=moment)
