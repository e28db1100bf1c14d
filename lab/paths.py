"""The way of packets between two hosts: delay, bottleneck, loss, reordering, and the mirrored interfaces on it.

A packet that leaves a mirrored interface is seen before the network may lose it; one that enters is seen only if it
got there. So a server's mirror shows the resends of what its clients never got, and only the second try of what never
reached the server.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from lab.events import MICROSECOND, Events
from lab.latency import Latency

SERVER_NIC_NS_PER_BYTE = 0.8  # 10 Gbit/s


class Parcel(Protocol):
    """What travels: something with the bytes of an IP packet."""

    packet: bytes


class Receiver(Protocol):
    def receive(self, parcel: Any) -> None: ...


class Tap(Protocol):
    """A mirrored interface, as far as one conversation is concerned."""

    def see(self, parcel: Any, is_leaving: bool) -> None: ...


STACK = Latency(0.10, 0.25)


@dataclass(frozen=True)
class Route:
    """How it is between two hosts: whole round trip, per-packet jitter as a share of it, faults, bottleneck."""

    round_trip_ns: int
    jitter: float = 0.05
    loss: float = 0.0
    reorder: float = 0.0
    ns_per_byte: float = 0.8
    stack: Latency = STACK


class Path:
    """Both directions between the client (0) and the server (1) of one conversation."""

    __slots__ = ("_free", "_last", "_stack", "ends", "events", "route", "taps")

    def __init__(self, events: Events, route: Route, ends: tuple[Receiver, Receiver], taps: list[Tap | None]) -> None:
        self.events = events
        self.route = route
        self.ends = ends
        self.taps = taps
        self._free = [0, 0]
        self._last = [0, 0]
        self._stack = [route.stack.draw_ns(events.random), route.stack.draw_ns(events.random)]

    def send(self, side: int, parcel: Parcel) -> None:
        """Put a packet of `side` on the wire, behind those which its network card is still sending."""
        now = self.events.now_ns
        depart = max(now, self._free[side])
        self._free[side] = depart + int(len(parcel.packet) * SERVER_NIC_NS_PER_BYTE)
        if depart == now:
            self._leave(side, parcel)
        else:
            self.events.at(depart, self._leave, side, parcel)

    def _leave(self, side: int, parcel: Parcel) -> None:
        near, far = self.taps[side], self.taps[1 - side]
        if near is not None:
            near.see(parcel, True)
        route, rng = self.route, self.events.random
        if route.loss and rng.random() < route.loss:
            return
        delay = route.round_trip_ns * (0.5 + route.jitter * rng.expovariate(2.0))
        earliest = self._last[side] + int(len(parcel.packet) * route.ns_per_byte)
        arrival = max(self.events.now_ns + int(delay), earliest)
        if route.reorder and rng.random() < route.reorder:
            arrival += 50 * MICROSECOND + int(route.round_trip_ns * 0.1 * rng.random())
        else:
            self._last[side] = arrival
        if far is not None:
            self.events.at(arrival, self._arrive, side, parcel)
        else:
            self.events.at(arrival + self._stack[1 - side], self.ends[1 - side].receive, parcel)

    def _arrive(self, side: int, parcel: Parcel) -> None:
        tap = self.taps[1 - side]
        if tap is not None:
            tap.see(parcel, False)
        self.events.after(self._stack[1 - side], self.ends[1 - side].receive, parcel)
