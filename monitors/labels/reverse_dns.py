"""Names by reverse DNS: off by default, slowly, only for addresses of recent conversations, kept for a day.

How many may be asked is one row for all workers (`NameSettings.spent_until`, a token bucket as one moment): whoever
takes look-ups moves it ahead by the time that they use up. PTR queries go by dnspython, since the C library's
gethostbyaddr can neither be given a time-out nor a server (RFC 1035; names under in-addr.arpa and ip6.arpa).
"""

from __future__ import annotations

import datetime as dt
import logging
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import dns.exception
import dns.resolver
from django.db import connection, transaction
from django.utils import timezone

from monitors.models import HostName, NameSettings, NameSource
from monitors.models.label import nameserver_of
from monitors.series.tiers import table_of

log = logging.getLogger(__name__)

RUN_S = 15.0
PAUSE_S = 0.2
TIMEOUT_S = 2.0
THREADS = 32
FOUND_FOR = dt.timedelta(days=1)
UNKNOWN_FOR = dt.timedelta(hours=1)
# A server that does not answer is not asked about the same address at once again.
FAILED_FOR = dt.timedelta(minutes=10)
FORGOTTEN_AFTER = dt.timedelta(days=30)
# Whose conversations count as recent, and the tier in which that is looked up: few rows for many groups.
RECENT = dt.timedelta(hours=1)
RECENT_STEP = 600
MAX_NAME = 253

# Whom to ask next: addresses of groups with samples of late, those never asked before those that have expired.
_DUE = f"""
    SELECT host(a.address) FROM (
      SELECT DISTINCT unnest(ARRAY[g.client_ip, g.server_ip, g.host]) AS address
      FROM (SELECT DISTINCT monitor_id, group_id FROM {table_of(RECENT_STEP)} WHERE t >= %s
            UNION SELECT monitor_id, id FROM monitors_group WHERE first_seen >= %s) s
      JOIN monitors_group g ON g.monitor_id = s.monitor_id AND g.id = s.group_id) a
    LEFT JOIN monitors_hostname h ON h.address = a.address
    WHERE a.address IS NOT NULL AND (h.address IS NULL OR (h.source = '{NameSource.DNS}' AND h.expires < %s))
    ORDER BY h.expires NULLS FIRST, a.address LIMIT %s"""


@dataclass(frozen=True)
class Answer:
    """What DNS says of one address, and for how long that holds."""

    address: str
    name: str
    holds: dt.timedelta


def run(seconds: float = RUN_S) -> int:
    """Ask for names, as fast as may be, until nothing is due or the time is over; how many were asked for."""
    end = time.monotonic() + seconds
    settings = NameSettings.objects.filter(pk=1).first()
    if settings is None or not settings.reverse_dns:
        return 0
    due = due_addresses(timezone.now(), max(1, int(settings.per_second * seconds)))
    asked = 0
    while asked < len(due) and time.monotonic() < end:
        granted = look_up(due[asked:], settings, timezone.now())
        asked += granted
        if not granted:
            time.sleep(PAUSE_S)
    return asked


def look_up(due: Sequence[str], settings: NameSettings, now: dt.datetime) -> int:
    """Ask for as many of these names as may be asked for at this moment; how many that were."""
    granted = take(len(due), now) if due else 0
    if granted:
        keep(ask(due[:granted], settings.nameserver), now)
    return granted


def due_addresses(now: dt.datetime, limit: int) -> list[str]:
    since = now - RECENT
    with connection.cursor() as cursor:
        cursor.execute(_DUE, [since, since, now, limit])
        return [address for (address,) in cursor.fetchall()]


def take(wanted: int, now: dt.datetime) -> int:
    """How many of the wanted look-ups may be made now: at most a second's worth at once, whoever asks."""
    with transaction.atomic():
        row = NameSettings.objects.select_for_update().get(pk=1)
        spent_until = max(row.spent_until or now, now)
        second = dt.timedelta(seconds=1)
        free = int((now + second - spent_until) / second * row.per_second)
        granted = max(0, min(wanted, free))
        if granted:
            row.spent_until = spent_until + second * (granted / row.per_second)
            row.save(update_fields=["spent_until"])
    return granted


def ask(addresses: Sequence[str], nameserver: str) -> list[Answer]:
    """PTR queries, side by side, each with a time-out."""
    try:
        resolver = _resolver(nameserver)
    except dns.resolver.NoResolverConfiguration:
        log.warning("reverse DNS is on, and this machine has no resolver: name one in the settings of names")
        return [Answer(address, "", FAILED_FOR) for address in addresses]
    with ThreadPoolExecutor(min(THREADS, len(addresses))) as pool:
        return list(pool.map(lambda address: _ask_one(resolver, address), addresses))


def _resolver(nameserver: str) -> dns.resolver.Resolver:
    chosen = nameserver_of(nameserver) if nameserver else None
    resolver = dns.resolver.Resolver(configure=chosen is None)
    if chosen is not None:
        resolver.nameservers, resolver.port = [chosen[0]], chosen[1]
    resolver.timeout = resolver.lifetime = TIMEOUT_S
    return resolver


def _ask_one(resolver: dns.resolver.Resolver, address: str) -> Answer:
    try:
        found = resolver.resolve_address(address)
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
        return Answer(address, "", UNKNOWN_FOR)
    except (dns.exception.DNSException, OSError) as error:
        log.info("no name of %s: %s", address, error)
        return Answer(address, "", FAILED_FOR)
    # Whoever runs the zone chooses the text: what cannot be shown is no name.
    name = str(found[0]).rstrip(".")
    return Answer(address, name if name.isprintable() and len(name) <= MAX_NAME else "", FOUND_FOR)


def keep(answers: Sequence[Answer], now: dt.datetime) -> None:
    """Write down what was answered; an imported name stays, and a name that DNS cannot confirm just now as well."""
    rows = [(answer.address, answer.name, now, now + answer.holds, answer.holds == FAILED_FOR) for answer in answers]
    with transaction.atomic(), connection.cursor() as cursor:
        for address, name, seen, expires, has_failed in sorted(rows):
            cursor.execute(
                "INSERT INTO monitors_hostname AS h (address, name, source, seen, expires) VALUES (%s, %s, %s, %s, %s)"
                " ON CONFLICT (address) DO UPDATE SET expires = excluded.expires,"
                " name = CASE WHEN %s THEN h.name ELSE excluded.name END,"
                " seen = CASE WHEN %s THEN h.seen ELSE excluded.seen END WHERE h.source = excluded.source",
                [address, name, NameSource.DNS, seen, expires, has_failed, has_failed],
            )


def forget(now: dt.datetime | None = None) -> int:
    """Remove names of addresses that no conversation has had for a month."""
    limit = (now or timezone.now()) - FORGOTTEN_AFTER
    return HostName.objects.filter(source=NameSource.DNS, expires__lt=limit).delete()[0]
