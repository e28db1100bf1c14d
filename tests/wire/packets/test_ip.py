"""IPv4 and IPv6 headers: lengths, options, extension headers, and what is wrong with them."""

from __future__ import annotations

import pytest

from tests.wire.packets.decoding import address, counted, decode
from tests.wire.packets.frames import SYN, ah, ethernet, extension, fragment_header, ipv4, ipv6, tcp, udp


def test_it_reads_addresses_and_lengths() -> None:
    four, six = decode(
        ethernet(ipv4(tcp(b"abc"), 6, "192.168.255.254", "1.2.3.4", ident=7)),
        ethernet(ipv6(udp(b"abcd"), 17, "fe80::1", "ff02::fb"), 0x86DD),
    )
    assert (address(four, "src"), address(four, "dst")) == ("192.168.255.254", "1.2.3.4")
    assert (four["ip_length"], four["ip_offset"], four["l4_offset"], four["ip_id"]) == (43, 14, 34, 7)
    assert (address(six, "src"), address(six, "dst")) == ("fe80::1", "ff02::fb")
    assert (six["ip_length"], six["l4_offset"], six["payload_offset"], six["ip_id"]) == (52, 54, 62, -1)


def test_it_measures_by_the_length_field() -> None:
    packet = ipv4(tcp(b"x" * 1000), 6)
    padded, cut, sliced = decode(
        ethernet(ipv4(tcp(), 6)) + bytes(6), ethernet(packet)[:60], ethernet(packet)[:54], wire_lengths=[60, 1054, 54]
    )
    assert (padded["ip_length"], padded["payload_length"]) == (40, 0)
    assert (cut["ip_length"], cut["payload_length"], cut["error"]) == (1040, 1000, 0)
    assert (sliced["ip_length"], sliced["payload_length"], sliced["error"]) == (1040, 1000, 0)


def test_it_takes_the_frames_length_where_offload_left_0() -> None:
    four, six, empty = decode(
        ethernet(ipv4(tcp(b"x" * 9), 6, length=0)),
        ethernet(ipv6(tcp(b"x" * 9), 6, length=0), 0x86DD),
        ethernet(ipv6(b"", 59) + bytes(6), 0x86DD),
    )
    assert (four["ip_length"], four["payload_length"]) == (49, 9)
    assert (six["ip_length"], six["payload_length"]) == (69, 9)
    assert (empty["ip_length"], empty["protocol"]) == (40, 59)


def test_it_skips_options_and_extension_headers() -> None:
    chain = extension(extension(extension(ah(tcp(b"abc"), 6), 51, 2), 43), 60, 1)
    options, extensions, signed, atomic = decode(
        ethernet(ipv4(tcp(b"abc"), 6, options=bytes(8))),
        ethernet(ipv6(chain, 0), 0x86DD),
        ethernet(ipv4(ah(tcp(b"abc"), 6), 51)),
        ethernet(ipv6(fragment_header(tcp(b"abc"), 6, 0, False), 44), 0x86DD),
    )
    for row in (options, extensions, signed, atomic):
        assert (row["protocol"], row["payload_length"], row["dst_port"], row["error"], row["complete"]) == (
            6,
            3,
            80,
            0,
            1,
        )
    assert (atomic["fragment"], atomic["ip_id"]) == (0, 99)


@pytest.mark.parametrize(
    ("frame", "reason", "version"),
    [
        (ethernet(b"\x55" + ipv4(tcp(), 6)[1:]), "bad_ip_version", 0),
        (ethernet(b"\x44" + ipv4(tcp(), 6)[1:]), "bad_ip_header_length", 0),
        (ethernet(ipv4(tcp(), 6, length=19)), "bad_ip_length", 0),
        (ethernet(b"\x4f" + ipv4(tcp(), 6, length=60)[1:]), "cut_header", 4),
        (ethernet(ipv6(extension(b"", 6, 9)[:8], 0), 0x86DD), "bad_extension_header", 6),
        (ethernet(ipv6(b"\x06\x00\x00", 60), 0x86DD), "bad_extension_header", 6),
        (ethernet(ipv4(b"x" * 13, 6, fragment=0x2000)), "bad_fragment", 4),
        (ethernet(ipv4(b"x" * 16, 6, fragment=0x1FFF)), "bad_fragment", 4),
    ],
)
def test_it_counts_what_is_wrong(frame: bytes, reason: str, version: int) -> None:
    (row,) = decode(frame)
    assert counted(frame) == {reason: 1}
    assert (row["version"], row["complete"]) == (version, 0)


def test_it_does_not_believe_a_syn_that_counts_lost_options_as_payload() -> None:
    (row,) = decode(ethernet(ipv4(tcp(flags=SYN), 6, length=52)))
    assert (row["ip_length"], row["payload_length"]) == (52, 0)
