"""A filter over packets, exact: which frames of a batch match.

As a whole (`outer`): libpcap compiles the text for the link type and a kernel runs it over the frame as it was
captured, as tcpdump does. By default the innermost packet is what a filter speaks of, as in series and sessions:
`tcp port 443` finds what is inside VXLAN, behind a VLAN tag or an MPLS label. So where something lies between the link
header and the innermost IP packet, the terms about IP and what it carries run over that packet (compiled as raw IP),
and only the terms about the frame (ether, vlan, mpls, pppoes, geneve, arp) over the frame; `len` is the frame's length
in both. Where there is nothing in between, the two readings are one, and the answer is tcpdump's.

What libpcap does not know is joined to its answers by masks: `vni N` (any layer), and `client` and `server`, for which
the caller says which packets run from client to server.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from wire.filters.bpf import compile_text
from wire.filters.bpf_match import Frames, accepted
from wire.filters.error import FilterRefused
from wire.filters.split import AllOf, AnyOf, AnyVni, FromClient, Node, NoneOf, Program, has_role, programs, split
from wire.filters.terms import Everything, Expression, Vni, leaves
from wire.filters.vni_match import has_vni
from wire.packets.batch import PacketBatch
from wire.packets.layout import (
    LINK_CISCO_HDLC,
    LINK_ETHERNET,
    LINK_LOOP,
    LINK_NULL,
    LINK_PPP,
    LINK_PPP_HDLC,
    LINK_RAW,
    LINK_SLL,
    LINK_SLL2,
)

# Where IP begins if nothing but the link header is before it; raw IP has none. On serial lines that varies: such frames
# are always read by their innermost packet.
LINK_HEADER = {LINK_ETHERNET: 14, LINK_SLL: 16, LINK_SLL2: 20, LINK_NULL: 4, LINK_LOOP: 4}
SERIAL = (LINK_PPP, LINK_PPP_HDLC, LINK_CISCO_HDLC)
Mask = NDArray[np.bool_]

MOST_SHOWN = 1000  # characters of a filter that an error carries along


class PacketFilter:
    """One filter, ready for batches of any link type."""

    def __init__(self, expression: Expression, outer: bool = False, text: str = "") -> None:
        self.expression = expression
        self.text = text or str(expression)
        self.outer = outer
        self.matches_all = isinstance(expression, Everything)
        terms = list(leaves(expression))
        self.needs_roles = any(has_role(term) for term in terms)
        has_vnis = any(isinstance(term, Vni) for term in terms)
        self.needs_packets = not self.matches_all and (self.needs_roles or has_vnis or not outer)
        self.whole: Node = AllOf(()) if self.matches_all else split(expression, outer=True)
        self.wrapped: Node = self.whole if self.matches_all or outer else split(expression, outer=False)

    def check(self, link_type: int) -> None:
        """Compile for a link type; FilterRefused where it has no such thing (a VLAN on raw IP)."""
        try:
            for program in (*programs(self.whole), *programs(self.wrapped)):
                compile_text(program.text, LINK_RAW if program.place == "inner" else link_type)
        except FilterRefused as refusal:
            raise refusal.with_text(self.text if len(self.text) <= MOST_SHOWN else "") from None

    def mask(self, batch: PacketBatch, packets: np.ndarray | None = None, forward: np.ndarray | None = None) -> Mask:
        """Which frames match. `packets`: their decoded records; `forward`: 1 from client, 0 from server, -1 neither."""
        everything = np.ones(batch.packets, np.bool_)
        if self.matches_all:
            return everything
        reading = _Reading(batch, packets, forward)
        if self.outer:
            return reading.mask(self.whole, everything)
        wrapped = is_wrapped(reading.decoded(), batch.link_type)
        plain = reading.mask(self.whole, ~wrapped) if not wrapped.all() else ~everything
        return plain | reading.mask(self.wrapped, wrapped) if wrapped.any() else plain


def is_wrapped(packets: np.ndarray, link_type: int) -> Mask:
    """Whether a tunnel, tag, label or session header lies between the link header and the innermost IP packet."""
    if link_type in SERIAL:
        return np.asarray(packets["ip_offset"] >= 0)
    return np.asarray(packets["ip_offset"] > LINK_HEADER.get(link_type, 0))


class _Reading:
    """One batch, read by several programs."""

    def __init__(self, batch: PacketBatch, packets: np.ndarray | None, forward: np.ndarray | None) -> None:
        self.batch = batch
        self.packets = packets
        self.forward = forward

    def mask(self, node: Node, chosen: Mask) -> Mask:
        """Which of the chosen frames match; `chosen` narrows as terms decide, so that later programs run on fewer."""
        match node:
            case AllOf(parts):
                for part in parts:
                    chosen = self.mask(part, chosen)
                return chosen
            case AnyOf(parts):
                found = np.zeros(len(chosen), np.bool_)
                for part in parts:
                    found |= self.mask(part, chosen & ~found)
                return found
            case NoneOf(part):
                return chosen & ~self.mask(part, chosen)
            case AnyVni(number):
                return chosen & has_vni(self.batch, self.decoded(), number)
            case FromClient(is_forward):
                if self.forward is None:
                    raise ValueError("a filter with 'client' or 'server' needs the packets' directions")
                return chosen & np.asarray(self.forward == int(is_forward))
            case Program(text, "inner"):
                return accepted(compile_text(text, LINK_RAW), self._inner(), chosen)
            case Program(text):
                batch = self.batch
                frames = (batch.buffer, batch.offset, batch.captured, batch.wire_length)
                return accepted(compile_text(text, batch.link_type), frames, chosen)

    def decoded(self) -> np.ndarray:
        if self.packets is None:
            raise ValueError("this filter needs decoded packets")
        return self.packets

    def _inner(self) -> Frames:
        batch, start = self.batch, np.maximum(self.decoded()["ip_offset"], 0)
        return batch.buffer, batch.offset + start, batch.captured - start, batch.wire_length
