"""Two network namespaces with a veth pair between them, made for one test: traffic goes nowhere else. Root only."""

from __future__ import annotations

import contextlib
import ctypes
import os
import secrets
import socket
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

NEW_NETWORK = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="makes network namespaces: needs root")


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)


class Wire:
    """`near` is captured on, `far` is sent into: two interfaces in namespaces of their own."""

    def __init__(self) -> None:
        tag = secrets.token_hex(3)
        self.near_space, self.far_space = f"cc-near-{tag}", f"cc-far-{tag}"
        self.near, self.far = f"near{tag}", f"far{tag}"

    def __enter__(self) -> Wire:
        for space in (self.near_space, self.far_space):
            ip("netns", "add", space)
        link = ["link", "add", self.near, "netns", self.near_space, "type", "veth"]
        ip(*link, "peer", "name", self.far, "netns", self.far_space)
        for space, interface in ((self.near_space, self.near), (self.far_space, self.far)):
            # No neighbour discovery of its own: only what a test sends is on this wire.
            path = f"/proc/sys/net/ipv6/conf/{interface}/disable_ipv6"
            subprocess.run(["ip", "netns", "exec", space, "sh", "-c", f"echo 1 > {path}"], check=True)
            ip("-n", space, "link", "set", interface, "mtu", "9000", "up")
        return self

    def __exit__(self, *_: object) -> None:
        for space in (self.near_space, self.far_space):
            subprocess.run(["ip", "netns", "del", space], check=False, capture_output=True)

    def send(self, frames: Sequence[bytes]) -> None:
        """Put frames on the wire, at the far end."""
        with inside(self.far_space), socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sender:
            sender.bind((self.far, 0))
            for frame in frames:
                sender.send(frame)


@contextlib.contextmanager
def inside(space: str) -> Iterator[None]:
    """This thread is in the namespace: sockets that it opens belong there for good."""
    with Path("/proc/thread-self/ns/net").open() as before, Path(f"/run/netns/{space}").open() as there:
        enter(there.fileno())
        try:
            yield
        finally:
            enter(before.fileno())


def enter(handle: int) -> None:
    if _libc.setns(handle, NEW_NETWORK) != 0:
        raise OSError(ctypes.get_errno(), "setns")


@pytest.fixture
def wire() -> Iterator[Wire]:
    with Wire() as made:
        yield made
