"""TCP and its options, UDP, and the ports of the others."""

from __future__ import annotations

import struct

import pytest

from tests.wire.packets.decoding import counted, decode
from tests.wire.packets.frames import ACK, PSH, SYN, ethernet, ipv4, tcp, udp
from wire.packets.layout import SACK_BLOCKS, SACK_PERMITTED

MSS, SCALE, SACK_OK = b"\x02\x04\x05\xb4", b"\x03\x03\x07", b"\x04\x02"


def stamps(value: int, echo: int) -> bytes:
    return struct.pack(">BBII", 8, 10, value, echo)


def segment(**fields: object) -> bytes:
    return ethernet(ipv4(tcp(**fields), 6))  # type: ignore[arg-type]


def test_it_reads_every_field_of_tcp() -> None:
    (row,) = decode(
        segment(payload=b"abc", sport=65535, dport=1, seq=2**32 - 1, ack=2**31, flags=PSH | ACK, window=65535)
    )
    names = ("src_port", "dst_port", "seq", "ack", "flags", "window", "payload_length")
    assert [row[name] for name in names] == [65535, 1, 2**32 - 1, 2**31, PSH | ACK, 65535, 3]
    absent = ("option_scale", "option_mss", "option_sack", "ts_val", "ts_ecr")
    assert [row[name] for name in absent] == [-1, -1, 0, -1, -1]


def test_it_reads_options_in_any_order() -> None:
    options = MSS + SACK_OK + stamps(2**32 - 1, 5) + b"\x01" + SCALE
    full, fast, sack = decode(
        segment(flags=SYN, options=options),
        segment(options=b"\x01\x01" + stamps(7, 8)),
        segment(options=b"\x01\x01" + stamps(7, 8) + b"\x01\x01\x05\x0a" + bytes(8)),
    )
    assert (full["option_mss"], full["option_scale"], full["option_sack"]) == (1460, 7, SACK_PERMITTED)
    assert (full["ts_val"], full["ts_ecr"]) == (2**32 - 1, 5)
    assert (fast["ts_val"], fast["ts_ecr"], fast["option_sack"]) == (7, 8, 0)
    assert (sack["ts_val"], sack["option_sack"]) == (7, SACK_BLOCKS)


def test_it_leaves_nothing_of_the_packet_before() -> None:
    _, plain = decode(segment(flags=SYN, options=MSS + SACK_OK + stamps(1, 2) + SCALE), ethernet(ipv4(udp(b"a"), 17)))
    assert (plain["ts_val"], plain["seq"], plain["flags"], plain["option_mss"]) == (-1, 0, 0, -1)


def test_it_reads_the_options_that_are_there_of_a_cut_frame() -> None:
    frame = segment(payload=b"x" * 100, options=MSS + stamps(1, 2))
    (row,) = decode(frame[:60], wire_lengths=[len(frame)])
    assert (row["option_mss"], row["ts_val"], row["payload_length"], row["error"]) == (1460, -1, 100, 0)
    assert counted(frame[:60], wire_lengths=[len(frame)]) == {}


@pytest.mark.parametrize(
    "options", [b"\x02\x00\x00\x00", b"\x02\x01\x00\x00", b"\x02\x09\x00\x00", b"\x01\x01\x01\x08"]
)
def test_it_counts_broken_options_and_analyses_the_packet(options: bytes) -> None:
    frame = segment(payload=b"abc", options=options)
    (row,) = decode(frame)
    assert counted(frame) == {"bad_tcp_options": 1}
    assert (row["error"], row["complete"], row["payload_length"]) == (0, 1, 3)


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (ethernet(ipv4(tcp()[:12] + b"\x40" + tcp()[13:], 6)), "bad_tcp_header"),
        (ethernet(ipv4(tcp()[:12] + b"\xf0" + tcp()[13:], 6)), "bad_tcp_header"),
        (ethernet(ipv4(tcp()[:10], 6)), "bad_tcp_header"),
        (ethernet(ipv4(tcp(), 6))[:50], "cut_header"),
        (ethernet(ipv4(udp(b"abc", length=7), 17)), "bad_udp_length"),
        (ethernet(ipv4(udp(b"abc", length=12), 17)), "bad_udp_length"),
        (ethernet(ipv4(b"\0\1\0\2", 17)), "bad_udp_length"),
    ],
)
def test_it_counts_a_broken_header_but_keeps_the_conversation(frame: bytes, reason: str) -> None:
    (row,) = decode(frame)
    assert counted(frame) == {reason: 1}
    assert (row["version"], row["complete"], row["payload_length"]) == (4, 0, 0)
    assert row["src_port"] > 0


def test_it_reads_udp_and_others() -> None:
    datagram, jumbo, sctp, other = decode(
        ethernet(ipv4(udp(b"abcd", 1000, 2000), 17)),
        ethernet(ipv4(udp(b"abcd", length=0), 17)),
        ethernet(ipv4(udp(b"abcd", 3, 4), 132)),
        ethernet(ipv4(b"abcdef", 89)),
    )
    assert (datagram["src_port"], datagram["dst_port"], datagram["payload_length"]) == (1000, 2000, 4)
    assert (jumbo["payload_length"], jumbo["error"]) == (4, 0)
    assert (sctp["src_port"], sctp["dst_port"], sctp["protocol"]) == (3, 4, 132)
    assert (other["src_port"], other["payload_length"], other["complete"]) == (0, 6, 1)
