"""The classic BPF program that spreads packets over capture threads so that both directions of a flow meet.

The kernel's own hash sees the outer header only: of mirrored traffic it would part the two directions, since each comes
in a tunnel packet with a source port of its own. The program XORs addresses and ports of the innermost packet that it
finds behind VLAN tags, VXLAN (RFC 7348) and GENEVE (RFC 8926) on their usual ports; XOR is the same for both
directions. Fragments go by addresses alone, since later ones have no ports. An ICMP error goes by the packet that it
quotes, so that it meets the flow that it is about. What is not IP goes to the first thread.

Classic BPF knows no loops: each layer is written out. Jumps reach 255 instructions, so a test jumps over a long jump.
A load beyond the packet's end returns 0: the first thread.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from wire.packets.decapsulate import GENEVE_PORT, VXLAN_PORT
from wire.packets.layout import FRAGMENT, ICMP, ICMPV6, NO_NEXT_HEADER, ROUTING, SCTP, TCP, UDP
from wire.packets.link import TYPE_BRIDGED, TYPE_IPV4, TYPE_IPV6, TYPE_QINQ, TYPE_QINQ_OLD, TYPE_VLAN

HOP_BY_HOP, DESTINATION_OPTIONS = 0, 60
PORTED = (TCP, UDP, SCTP)
QUOTING_V4 = (3, 4, 5, 11, 12)  # ICMP errors with the packet they are about (RFC 792)
QUOTING_V6 = (1, 2, 3, 4)  # RFC 4443
TAGS, EXTENSIONS = 2, 2  # so many are looked behind
PROTOCOL, PACKET_TYPE = 0xFFFFF000, 0xFFFFF004  # SKF_AD_OFF + SKF_AD_PROTOCOL, + SKF_AD_PKTTYPE
OUTGOING = 4
# Scratch memory: where the network header is, the hash so far, and a place for a moment.
BASE, HASH, SPARE = 0, 1, 2
MIX = 0x9E3779B1  # 2^32 / golden ratio: thread numbers are taken modulo, and the low bits of addresses are alike

LD_W, LD_H, LD_B, IND_W, IND_H, IND_B = 0x20, 0x28, 0x30, 0x40, 0x48, 0x50
LD_IMM, LD_MEM, LDX_IMM, LDX_MEM, ST, STX, TAX, TXA = 0x00, 0x60, 0x01, 0x61, 0x02, 0x03, 0x07, 0x87
ADD_K, ADD_X, MUL_K, AND_K, LSH_K, RSH_K, XOR_X, OR_X = 0x04, 0x0C, 0x24, 0x54, 0x64, 0x74, 0xAC, 0x4C
JUMP, JEQ, JSET, RETURN_A = 0x05, 0x15, 0x45, 0x16


class Label:
    """A place further down."""


class Assembler:
    """Instructions one after the other, and labels that are resolved at the end."""

    def __init__(self) -> None:
        self._rows: list[tuple[int, int, int, int | Label]] = []
        self._places: dict[Label, int] = {}

    def do(self, code: int, k: int = 0) -> None:
        self._rows.append((code, 0, 0, k))

    def jump(self, label: Label) -> None:
        self._rows.append((JUMP, 0, 0, label))

    def jump_if(self, code: int, k: int, label: Label) -> None:
        """Go to the label if the test holds, on otherwise."""
        self._rows.append((code, 0, 1, k))
        self.jump(label)

    def here(self, label: Label) -> None:
        self._places[label] = len(self._rows)

    @contextmanager
    def unless(self, code: int, values: tuple[int, ...]) -> Iterator[Label]:
        """A body for when none of the tests holds; the label is behind it."""
        behind = Label()
        for value in values:
            self.jump_if(code, value, behind)
        yield behind
        self.here(behind)

    def program(self) -> np.ndarray:
        """Rows of code, jt, jf, k."""
        rows = []
        for at, (code, jt, jf, k) in enumerate(self._rows):
            rows.append((code, jt, jf, self._places[k] - at - 1 if isinstance(k, Label) else k))
        return np.array(rows, np.int64)


def fanout_program(header_bytes: int = 14) -> np.ndarray:
    """For the kernel, which hands over received packets from the network header on, sent ones from the link header."""
    out, start = Assembler(), Label()
    out.do(LDX_IMM, 0)
    out.do(LD_B, PACKET_TYPE)
    with out.unless(JEQ, (OUTGOING,)) as sent:
        out.jump(start)
    assert sent
    out.do(LDX_IMM, header_bytes)
    out.here(start)
    out.do(STX, BASE)
    out.do(LD_H, PROTOCOL)
    return _from_ethertype(out)


def frame_program() -> np.ndarray:
    """The same for a whole Ethernet frame: what tests compare with."""
    out = Assembler()
    out.do(LDX_IMM, 14)
    out.do(STX, BASE)
    out.do(LD_H, 12)
    return _from_ethertype(out)


def _from_ethertype(out: Assembler) -> np.ndarray:
    end = Label()
    out.do(ST, SPARE)
    out.do(LD_IMM, 0)
    out.do(ST, HASH)
    out.do(LD_MEM, SPARE)
    inner = Label()
    _layer(out, end, inner)
    out.here(inner)
    _layer(out, end, None)
    out.here(end)
    out.do(LD_MEM, HASH)
    out.do(MUL_K, MIX)
    out.do(RSH_K, 16)
    out.do(RETURN_A)
    return out.program()


def _layer(out: Assembler, end: Label, inner: Label | None) -> None:
    """One packet: A is its Ethertype, X and BASE where its network header is. Jumps to `inner` with the same set."""
    _skip_tags(out)
    four, six = Label(), Label()
    out.jump_if(JEQ, TYPE_IPV4, four)
    out.jump_if(JEQ, TYPE_IPV6, six)
    out.jump(end)
    out.here(four)
    _ipv4(out, end, inner, quoted=False)
    out.here(six)
    _ipv6(out, end, inner, quoted=False)


def _skip_tags(out: Assembler) -> None:
    for _ in range(TAGS):
        tagged, behind = Label(), Label()
        for tag in (TYPE_VLAN, TYPE_QINQ, TYPE_QINQ_OLD):
            out.jump_if(JEQ, tag, tagged)
        out.jump(behind)
        out.here(tagged)
        out.do(IND_H, 2)
        out.do(ST, SPARE)
        _move(out, 4)
        out.do(LD_MEM, SPARE)
        out.here(behind)


def _move(out: Assembler, count: int) -> None:
    """X and BASE that many bytes further."""
    out.do(TXA)
    out.do(ADD_K, count)
    out.do(TAX)
    out.do(STX, BASE)


def _addresses(out: Assembler, first: int, words: int) -> None:
    """HASH becomes the XOR of so many words from `first` on; X is BASE again afterwards."""
    for word in range(words):
        out.do(IND_W, first + 4 * word)
        if word:
            out.do(LDX_MEM, HASH)
            out.do(XOR_X)
            out.do(LDX_MEM, BASE)
        out.do(ST, HASH)


def _ipv4(out: Assembler, end: Label, inner: Label | None, quoted: bool) -> None:
    _addresses(out, 12, 2)
    out.do(IND_H, 6)
    out.jump_if(JSET, 0x3FFF, end)  # a fragment: more follow, or not the first
    out.do(IND_B, 9)
    out.do(ST, SPARE)
    out.do(IND_B, 0)
    out.do(AND_K, 0x0F)
    out.do(LSH_K, 2)
    out.do(ADD_X)
    out.do(TAX)
    out.do(STX, BASE)
    out.do(LD_MEM, SPARE)
    _transport(out, end, inner, quoted, ICMP)


def _ipv6(out: Assembler, end: Label, inner: Label | None, quoted: bool) -> None:
    _addresses(out, 8, 8)
    out.do(IND_B, 6)
    out.do(ST, SPARE)
    _move(out, 40)
    out.do(LD_MEM, SPARE)
    for _ in range(EXTENSIONS):
        extension, behind = Label(), Label()
        for kind in (HOP_BY_HOP, ROUTING, DESTINATION_OPTIONS):
            out.jump_if(JEQ, kind, extension)
        out.jump(behind)
        out.here(extension)
        out.do(IND_B, 0)
        out.do(ST, SPARE)
        out.do(IND_B, 1)
        out.do(ADD_K, 1)
        out.do(LSH_K, 3)
        out.do(ADD_X)
        out.do(TAX)
        out.do(STX, BASE)
        out.do(LD_MEM, SPARE)
        out.here(behind)
    _transport(out, end, inner, quoted, ICMPV6)


def _transport(out: Assembler, end: Label, inner: Label | None, quoted: bool, icmp: int) -> None:
    """A is the protocol, X and BASE where its header is. An IPv6 fragment has no protocol with ports here."""
    assert FRAGMENT not in PORTED and NO_NEXT_HEADER not in PORTED
    ported, error = Label(), Label()
    for protocol in PORTED:
        out.jump_if(JEQ, protocol, ported)
    if not quoted:
        out.jump_if(JEQ, icmp, error)
    out.jump(end)
    if not quoted:
        out.here(error)
        _quotation(out, end, icmp)
    out.here(ported)
    if inner is not None and not quoted:
        _tunnels(out, inner)
    out.do(IND_H, 0)
    out.do(ST, SPARE)
    out.do(IND_H, 2)
    out.do(LDX_MEM, SPARE)
    out.do(XOR_X)
    out.do(ST, SPARE)
    out.do(LSH_K, 16)
    out.do(LDX_MEM, SPARE)
    out.do(OR_X)
    out.do(LDX_MEM, HASH)
    out.do(XOR_X)
    out.do(ST, HASH)
    out.jump(end)


def _quotation(out: Assembler, end: Label, icmp: int) -> None:
    """If it is an error: the packet behind its 8 bytes."""
    found = Label()
    out.do(IND_B, 0)
    for kind in QUOTING_V4 if icmp == ICMP else QUOTING_V6:
        out.jump_if(JEQ, kind, found)
    out.jump(end)
    out.here(found)
    _move(out, 8)
    (_ipv4 if icmp == ICMP else _ipv6)(out, end, None, quoted=True)


def _tunnels(out: Assembler, inner: Label) -> None:
    """To `inner` if this is UDP to a tunnel's port; what is TCP there is taken for none. A was the protocol."""
    vxlan, geneve, none, frame = Label(), Label(), Label(), Label()
    with out.unless(JEQ, (UDP,)):
        out.jump(none)
    out.do(IND_H, 2)
    out.jump_if(JEQ, VXLAN_PORT, vxlan)
    out.jump_if(JEQ, GENEVE_PORT, geneve)
    out.jump(none)
    out.here(vxlan)
    _move(out, 16)
    out.jump(frame)
    out.here(geneve)
    out.do(IND_H, 10)
    out.do(ST, SPARE)
    out.do(IND_B, 8)
    out.do(AND_K, 0x3F)
    out.do(LSH_K, 2)
    out.do(ADD_X)
    out.do(ADD_K, 16)
    out.do(TAX)
    out.do(STX, BASE)
    out.do(LD_MEM, SPARE)
    out.jump_if(JEQ, TYPE_BRIDGED, frame)
    out.jump(inner)
    out.here(frame)
    out.do(IND_H, 12)
    out.do(ST, SPARE)
    _move(out, 14)
    out.do(LD_MEM, SPARE)
    out.jump(inner)
    out.here(none)
