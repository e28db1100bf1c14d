"""ICMP of both versions, and the packets that errors quote."""

from __future__ import annotations

from tests.wire.packets.decoding import address, counted, decode
from tests.wire.packets.frames import ethernet, extension, icmp, ipv4, ipv6, tcp, udp


def test_it_reads_type_and_code() -> None:
    echo, error = decode(
        ethernet(ipv4(icmp(b"x" * 56), 1)), ethernet(ipv4(icmp(ipv4(udp(), 17, "1.1.1.1"), kind=3, code=1), 1))
    )
    assert (echo["icmp_type"], echo["icmp_code"], echo["payload_length"], echo["quoted_protocol"]) == (8, 0, 56, 0)
    assert (error["icmp_type"], error["icmp_code"], error["quoted_protocol"]) == (3, 1, 17)
    assert (error["protocol"], address(error, "src"), error["src_port"]) == (1, "10.0.0.1", 0)


def test_it_quotes_tcp_by_its_first_8_bytes() -> None:
    quoted = ipv4(tcp(b"x" * 500, 1234, 443, seq=4_000_000_000), 6, "10.9.9.9", "1.2.3.4", options=bytes(4))[:32]
    (row,) = decode(ethernet(ipv4(icmp(quoted, kind=3, code=4), 1)))
    assert (row["quoted_src_port"], row["quoted_dst_port"], row["quoted_seq"]) == (1234, 443, 4_000_000_000)
    assert (address(row, "quoted_src"), address(row, "quoted_dst")) == ("10.9.9.9", "1.2.3.4")
    assert (row["version"], address(row, "src"), row["complete"]) == (4, "10.0.0.1", 1)


def test_it_quotes_ipv6_behind_extension_headers() -> None:
    quoted = ipv6(extension(tcp(b"", 1234, 443, seq=5), 6, 1), 0, "2001:db8::9")
    (row,) = decode(ethernet(ipv6(icmp(quoted, kind=1, code=4), 58), 0x86DD))
    assert (row["quoted_protocol"], row["quoted_src_port"], row["quoted_seq"]) == (6, 1234, 5)
    assert address(row, "quoted_src") == "2001:db8::9"


def test_it_leaves_out_what_a_quotation_does_not_hold() -> None:
    later = ipv4(b"12345678", 6, fragment=3)
    cut = ipv4(tcp(), 6)[:10]
    fragment, short, broken = decode(
        ethernet(ipv4(icmp(later, kind=11), 1)),
        ethernet(ipv4(icmp(cut, kind=3), 1)),
        ethernet(ipv4(icmp(b"\x41" + bytes(40), kind=3), 1)),
    )
    assert (fragment["quoted_protocol"], fragment["quoted_src_port"], fragment["quoted_seq"]) == (6, 0, -1)
    assert short["quoted_protocol"] == broken["quoted_protocol"] == 0
    assert (short["complete"], broken["complete"]) == (1, 1)


def test_it_counts_icmp_without_a_header() -> None:
    assert counted(ethernet(ipv4(b"\x08", 1)), ethernet(ipv4(icmp(), 1))[:36]) == {"bad_icmp": 1, "cut_header": 1}
