"""Any bytes at all: the kernels agree with the plain reading, and never read beyond a frame."""

from __future__ import annotations

import ipaddress
import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.wire.packets import frames as words
from tests.wire.packets.decoding import address, decode
from tests.wire.packets.naive import naive_decode
from wire.packets.batch import batch_of
from wire.packets.decode import decode_batch, warm_up
from wire.packets.fragments import new_fragment_table
from wire.packets.layout import ERRORS, LINK_TYPES, PACKET, new_error_counters, new_packets

ROOT = Path(__file__).resolve().parents[3]
COMPARED = ("version", "vni", "vlan", "tunnels", "complete")
OF_IP = ("protocol", "ip_length", "ip_offset", "ip_id", "fragment", "src_port", "dst_port", "payload_length")

transports = st.one_of(
    st.builds(words.tcp, st.binary(max_size=40), flags=st.integers(0, 255), options=st.binary(max_size=40)).map(
        lambda b: (b, 6)
    ),
    st.builds(words.udp, st.binary(max_size=40), dport=st.sampled_from([53, 4789, 6081])).map(lambda b: (b, 17)),
    st.builds(words.icmp, st.binary(max_size=60), kind=st.integers(0, 12)).map(lambda b: (b, 1)),
    st.binary(max_size=60).map(lambda b: (b, 89)),
)
fragment_words = st.one_of(st.just(0), st.integers(0, 0x3FFF))
FOUR, SIX = 0x0800, 0x86DD


def packets(inner: st.SearchStrategy[tuple[bytes, int]]) -> st.SearchStrategy[tuple[bytes, int]]:
    """(packet, Ethertype) around (payload, protocol)."""
    four = st.builds(
        lambda p, options, word: (words.ipv4(*p, options=options * 4, fragment=word), FOUR),
        inner,
        st.binary(max_size=4),
        fragment_words,
    )
    six = inner.map(lambda p: (words.ipv6(*p), SIX))
    extended = st.builds(
        lambda p, kind, units: (words.ipv6(words.extension(*p, units), kind), SIX),
        inner,
        st.sampled_from([0, 43, 60]),
        st.integers(0, 2),
    )
    cut = st.builds(
        lambda p, offset, more: (words.ipv6(words.fragment_header(*p, offset * 8, more), 44), SIX),
        inner,
        st.integers(0, 3),
        st.booleans(),
    )
    return st.one_of(four, six, extended, cut)


def framed(packet: st.SearchStrategy[tuple[bytes, int]]) -> st.SearchStrategy[bytes]:
    plain = packet.map(lambda p: words.ethernet(*p))
    tagged = st.builds(
        lambda p, tag: words.ethernet(words.vlan(p[0], tag, p[1]), 0x8100), packet, st.integers(0, 65535)
    )
    labelled = packet.map(lambda p: words.ethernet(words.mpls(p[0], 16, 17), 0x8847))
    return st.one_of(plain, tagged, labelled)


def nested(frame: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    mirror = st.builds(words.vxlan, frame, st.integers(0, 2**24 - 1)).map(lambda b: (words.udp(b, 9, 4789), 17))
    options = st.sampled_from([b"", words.geneve_option(0x0108, 1, bytes(8)), words.geneve_option(0xFF01, 1, bytes(8))])
    balanced = st.builds(words.geneve, frame, st.integers(0, 9), options).map(lambda b: (words.udp(b, 9, 6081), 17))
    inside_ip = packets(transports).map(lambda p: (p[0], 4 if p[1] == FOUR else 41))
    return framed(packets(st.one_of(mirror, balanced, inside_ip)))


plain = framed(packets(transports))
once = nested(plain)
stacks = st.one_of(plain, once, nested(once))


@st.composite
def damaged(draw: st.DrawFn) -> tuple[bytes, int]:
    """A frame that is well formed, or cut, or has some wrong bytes; and its length on the wire."""
    frame = bytearray(draw(stacks))
    for _ in range(draw(st.sampled_from([0, 0, 1, 3]))):
        frame[draw(st.integers(12, len(frame) - 1))] = draw(st.integers(0, 255))
    size = draw(st.one_of(st.just(len(frame)), st.integers(0, len(frame))))
    return bytes(frame[:size]), draw(st.sampled_from([len(frame), size]))


@pytest.mark.filterwarnings("ignore::hypothesis.errors.HypothesisWarning")
@given(damaged())
@settings(max_examples=int(os.environ.get("CCLEAR_EXAMPLES", "300")), deadline=None)
def test_it_reads_what_the_plain_reading_reads(case: tuple[bytes, int]) -> None:
    frame, wire_length = case
    expected = naive_decode(frame, wire_length)
    assume(expected is not None)
    assert expected
    (row,) = decode(frame, wire_lengths=[wire_length])
    assert ERRORS[row["error"]] == expected["error"]
    assert {name: int(row[name]) for name in COMPARED} == {name: expected[name] for name in COMPARED}
    if expected["version"]:
        # A header that could not be read leaves its type as the last protocol, a matter of taste.
        names = OF_IP if expected["error"] == "none" else OF_IP[1:]
        assert {name: int(row[name]) for name in names} == {name: expected[name] for name in names}
        assert address(row, "src") == _text(expected["src"])
        assert address(row, "dst") == _text(expected["dst"])
    if expected["error"] == "none" and "seq" in expected and expected["protocol"] == 6 and expected["complete"]:
        for name in ("seq", "ack", "flags", "window"):
            assert row[name] == expected[name]


def _text(packed: bytes) -> str:
    found = ipaddress.ip_address(packed)
    return str(getattr(found, "ipv4_mapped", None) or found)


@given(st.binary(max_size=200), st.integers(0, 2**31 - 1), st.sampled_from(sorted(LINK_TYPES)))
@settings(max_examples=1000, deadline=None)
def test_it_survives_any_bytes(frame: bytes, wire_length: int, link_type: int) -> None:
    (row,) = decode(frame, wire_lengths=[wire_length], link_type=link_type)
    assert 0 <= row["error"] < len(ERRORS)
    assert row["captured"] == len(frame)
    assert row["complete"] in (0, 1)


def noisy_frames(count: int) -> list[bytes]:
    """Frames of all kinds with wrong bytes and lengths, the same each time."""
    rng = random.Random(20)
    inner = words.ethernet(words.ipv4(words.tcp(b"x" * 30, options=b"\x02\x04\x05\xb4\x03\x03\x07\x01"), 6))
    tunnelled = words.ethernet(words.ipv6(words.extension(words.udp(words.geneve(inner, 1), 1, 6081), 17, 1), 0), SIX)
    quoting = words.ethernet(words.ipv4(words.icmp(words.ipv4(words.tcp(), 6), kind=3), 1))
    generic = words.ethernet(words.ipv4(words.gre(inner, 0x6558, 0xB000), 47))
    carried = words.ethernet(words.ipv4(words.udp(words.gtp(words.ipv4(words.udp(), 17)), 1, 2152), 17))
    cut = words.ethernet(words.ipv4(b"y" * 24, 6, fragment=0x2001))
    pattern = (inner, words.mirrored(inner), tunnelled, quoting, generic, carried, cut)
    found = []
    for number in range(count):
        frame = bytearray(pattern[number % len(pattern)])
        for _ in range(rng.randrange(5)):
            frame[rng.randrange(12, len(frame))] = rng.choice(
                (0, 1, 4, 6, 17, 44, 51, 0x45, 0x60, 0x88, 0xFF, rng.randrange(256))
            )
        found.append(bytes(frame[: rng.choice((len(frame), rng.randrange(len(frame))))]))
    return found


def decoded_noise() -> bytes:
    """Records of noisy frames; each frame fills its own buffer, so that one byte too many is out of bounds."""
    out, counters, table = new_packets(1), new_error_counters(), new_fragment_table(16)
    found = []
    for frame in noisy_frames(3000):
        decode_batch(batch_of([frame], wire_lengths=[len(frame) + 9]), out, counters, table)
        found.append(out.tobytes())
    return b"".join(found)


def test_it_stays_inside_the_frame_and_means_the_same_without_a_compiler(tmp_path: Path) -> None:
    """NumPy checks every index when nothing is compiled; the records must be the same to the byte."""
    target = tmp_path / "records"
    code = f"from tests.wire.packets.test_decode import *; Path({str(target)!r}).write_bytes(decoded_noise())"
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    subprocess.run([sys.executable, "-W", "error::RuntimeWarning", "-c", code], cwd=ROOT, env=environment, check=True)
    plain, compiled = (np.frombuffer(data, PACKET) for data in (target.read_bytes(), decoded_noise()))
    different = {name: np.flatnonzero(plain[name] != compiled[name])[:5].tolist() for name in PACKET.names or ()}
    assert {name: rows for name, rows in different.items() if rows} == {}


def test_it_wants_room_for_every_frame() -> None:
    with pytest.raises(ValueError, match="room for 1 packets, 2 given"):
        decode_batch(batch_of([b"", b""]), new_packets(1), new_error_counters(), new_fragment_table(1))


def test_it_decodes_nothing() -> None:
    warm_up()
    assert len(decode()) == 0
