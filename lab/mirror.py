"""Copies what passes a mirrored interface to the sink, and tells the ground truth when it was really sent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lab.events import Events
from lab.hosts import Interface
from lab.truth import FlowTruth

# (time_ns, interface, VXLAN head + frame) -> the time at which the packet was really handed over
Sink = Callable[[int, Interface, bytes], int]


class InterfaceTap:
    """What one mirrored interface sees of one conversation."""

    __slots__ = ("_events", "_flow", "_interface", "_sink")

    def __init__(self, events: Events, sink: Sink, interface: Interface, flow: FlowTruth | None) -> None:
        self._events = events
        self._sink = sink
        self._interface = interface
        self._flow = flow

    def see(self, parcel: Any, is_leaving: bool) -> None:
        packet: bytes = parcel.packet
        interface = self._interface
        interface.packets += 1
        interface.ip_bytes += len(packet)
        heads = interface.leaving if is_leaving else interface.entering
        time_ns = self._sink(self._events.now_ns, interface, heads[packet[0] >> 4] + packet)
        if self._flow is not None:
            self._flow.observe(parcel, time_ns)
