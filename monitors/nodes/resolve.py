"""Which addresses a host name stands for, with a limit that the system's resolver lacks."""

from __future__ import annotations

import ipaddress
import queue
import socket
from threading import Thread

RESOLVE_S = 5.0


class ResolveError(Exception):
    """The name stands for nothing now; the text says why in plain words."""


def is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def resolve(host: str, timeout_s: float = RESOLVE_S) -> list[str]:
    """The addresses of a host, sorted. Those of one family only, IPv4 where there are any: a machine that has both
    would count twice."""
    answers: queue.SimpleQueue[list[str] | str] = queue.SimpleQueue()
    # The resolver cannot be interrupted: a thread that waits for it is left behind and ends with it.
    Thread(target=_ask, args=(host, answers), daemon=True, name="resolve").start()
    try:
        found = answers.get(timeout=timeout_s)
    except queue.Empty:
        raise ResolveError(f"the name server has not answered for {host} within {timeout_s:.0f} s") from None
    if isinstance(found, str):
        raise ResolveError(found)
    return found


def _ask(host: str, answers: queue.SimpleQueue[list[str] | str]) -> None:
    try:
        told = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        temporary = error.errno == socket.EAI_AGAIN
        why = "no name server answers" if temporary else "the name server knows no such name"
        answers.put(f"the host name {host} does not resolve: {why}")
    except (OSError, UnicodeError) as error:
        answers.put(f"the host name {host} does not resolve: {error}")
    else:
        answers.put(_chosen({str(address[0]) for _, _, _, _, address in told}))


def _chosen(addresses: set[str]) -> list[str]:
    known = [ipaddress.ip_address(address.partition("%")[0]) for address in addresses]
    usable = [address for address in known if not address.is_link_local]
    version = min((address.version for address in usable), default=4)
    return [str(address) for address in sorted((one for one in usable if one.version == version), key=int)]
