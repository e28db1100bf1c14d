"""The BPF kernel against libpcap's own interpreter."""

from __future__ import annotations

import ctypes
import json
import random

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.captures import CAPTURES, needs_captures
from tests.wire.filters.expressions import expressions
from wire.filters import bpf
from wire.filters.bpf_match import MOST_JUMPS, accepted
from wire.filters.grammar import FilterRefused, leaves, parse
from wire.filters.split import has_role
from wire.filters.terms import Expression, Tag, Vni
from wire.packets.batch import PacketBatch, batch_of
from wire.packets.pcap import open_capture

ETHERNET_IP = bytes.fromhex("0a0000000001 0a0000000002 0800")


class _Header(ctypes.Structure):
    _fields_ = [("seconds", ctypes.c_long), ("micro", ctypes.c_long), ("caplen", ctypes.c_uint), ("len", ctypes.c_uint)]


def libpcap_accepts(program: np.ndarray, frame: bytes, wire_length: int) -> bool:
    """The answer of libpcap's bpf_filter."""
    rows = (bpf._Instruction * len(program))(*(tuple(map(int, row)) for row in program))
    compiled = bpf._Program(len(program), rows)
    header = _Header(0, 0, len(frame), wire_length)
    answer = bpf.libpcap().pcap_offline_filter(ctypes.byref(compiled), ctypes.byref(header), frame)
    return answer != 0


def ours(program: np.ndarray, batch: PacketBatch) -> list[bool]:
    frames = (batch.buffer, batch.offset, batch.captured, batch.wire_length)
    return accepted(program, frames, np.ones(batch.packets, np.bool_)).tolist()


frames = st.one_of(
    st.binary(max_size=90),
    st.binary(min_size=20, max_size=60).map(lambda rest: ETHERNET_IP + b"\x45" + rest),
    st.tuples(st.sampled_from((6, 17, 1)), st.binary(min_size=30, max_size=40)).map(
        lambda pair: ETHERNET_IP + bytes.fromhex("4500 0040 0000 0000 40") + bytes([pair[0]]) + pair[1]
    ),
)


@settings(deadline=None, max_examples=300)
@given(expressions, st.lists(frames, min_size=1, max_size=5), st.integers(0, 3000))
def test_it_answers_as_libpcap(expression: Expression, some: list[bytes], beyond: int) -> None:
    assume(not any(isinstance(leaf, Vni) or has_role(leaf) for leaf in leaves(expression)))
    # Its code for `geneve` may read a scratch word that it never wrote: whatever the stack held there.
    assume(not any(isinstance(leaf, Tag) and leaf.name == "geneve" for leaf in leaves(expression)))
    try:
        program = bpf.compile_text(str(expression))
    except FilterRefused:
        assume(False)
    lengths = [len(frame) + beyond for frame in some]
    expected = [libpcap_accepts(program, frame, length) for frame, length in zip(some, lengths, strict=True)]
    assert ours(program, batch_of(some, wire_lengths=lengths)) == expected


@settings(deadline=None)
@given(
    st.sampled_from((0x04, 0x14, 0x24, 0x34, 0x44, 0x54, 0x64, 0x74, 0x84, 0x94, 0xA4)),
    st.booleans(),
    st.integers(0, 0xFFFFFFFF),
    st.integers(0, 0xFFFFFFFF) | st.integers(0, 31),
)
def test_it_calculates_with_32_bits(code: int, by_x: bool, left: int, right: int) -> None:
    assume(not (code in (0x64, 0x74) and right > 31))  # undefined in C
    assume(not (by_x and code == 0x84))  # negation has no operand: libpcap aborts
    assume(by_x or right or code not in (0x34, 0x94))  # a constant 0 is refused when a program is loaded
    rows = [(0x00, 0, 0, left), (0x01, 0, 0, right), (code | (8 if by_x else 0), 0, 0, right)]
    for probe in (left, 1, 0x80000000):
        program = np.array([*rows, (0x35, 0, 1, probe), (0x06, 0, 0, 1), (0x06, 0, 0, 0)], np.int64)
        assert ours(program, batch_of([b"x"])) == [libpcap_accepts(program, b"x", 1)]


def test_it_leaves_out_what_is_not_chosen() -> None:
    batch = batch_of([b"a", b"b", b"c"])
    program = np.array([(0x06, 0, 0, 1)], np.int64)
    fields = (batch.buffer, batch.offset, batch.captured, batch.wire_length)
    assert accepted(program, fields, np.array([True, False, True])).tolist() == [True, False, True]


def test_it_ends_a_program_that_jumps_in_circles() -> None:
    program = np.array([(0x05, 0, 0, 0xFFFFFFFF)], np.int64)
    assert MOST_JUMPS < 1_000_000
    assert ours(program, batch_of([b"x"])) == [False]


@needs_captures
def test_it_selects_what_libpcap_selects_in_cut_and_malformed_frames() -> None:
    chance = random.Random(7)
    (batch, *_) = open_capture(CAPTURES / "fuzzed-big-endian-sip.pcap").batches()
    cut = [batch.frame(i)[: chance.randint(0, 80)] for i in range(batch.packets)]
    lengths = [int(length) for length in batch.wire_length]
    entries = json.loads((CAPTURES / "oracle" / "filters.json").read_text())["filters"]
    for text in [entry["expr"] for entry in entries if entry["expr"] != "vxlan"]:
        program = bpf.compile_text(str(parse(text)), batch.link_type)
        expected = [libpcap_accepts(program, frame, length) for frame, length in zip(cut, lengths, strict=True)]
        assert ours(program, batch_of(cut, wire_lengths=lengths)) == expected, text


@pytest.mark.parametrize("size", [1, 2, 4])
def test_it_never_reads_beyond_a_frame(size: int) -> None:
    code = {1: 0x30, 2: 0x28, 4: 0x20}[size]
    program = np.array([(code, 0, 0, 4), (0x06, 0, 0, 1)], np.int64)
    assert ours(program, batch_of([bytes(4 + size), bytes(3 + size)])) == [True, False]
