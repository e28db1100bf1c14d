from __future__ import annotations

import random
import struct

import pytest

from dashboards.packets.merge import FILE_HEAD, NANOSECOND_MAGIC, MergeError, merge, open_stream


def pcap(times: list[int], *, link: int = 1, tag: bytes = b"x") -> bytes:
    head = FILE_HEAD.pack(NANOSECOND_MAGIC, 2, 4, 0, 0, 65535, link)
    bodies = (tag * (1 + t % 7) for t in times)
    return head + b"".join(
        struct.pack("<IIII", t // 10**9, t % 10**9, len(body), len(body) + 4) + body
        for t, body in zip(times, bodies, strict=True)
    )


def chunked(data: bytes, seed: int = 1) -> list[bytes]:
    dice, out, position = random.Random(seed), [], 0
    while position < len(data):
        step = dice.randint(1, 40)
        out.append(data[position : position + step])
        position += step
    return out


def times_of(data: bytes) -> list[int]:
    times, position = [], FILE_HEAD.size
    while position < len(data):
        seconds, nanoseconds, captured, _ = struct.unpack_from("<IIII", data, position)
        times.append(seconds * 10**9 + nanoseconds)
        position += 16 + captured
    return times


def test_it_merges_by_time_however_the_answers_are_cut() -> None:
    dice = random.Random(5)
    left, right = (sorted(dice.randrange(10**12) for _ in range(300)) for _ in range(2))
    streams = [open_stream("a", chunked(pcap(left), 2)), open_stream("b", chunked(pcap(right, tag=b"yy"), 3))]
    assert times_of(b"".join(merge(streams))) == sorted(left + right)


def test_it_gives_an_empty_file_its_head() -> None:
    assert b"".join(merge([open_stream("a", [pcap([])])])) == pcap([])


def test_it_refuses_two_link_types_by_name() -> None:
    streams = [open_stream("a", [pcap([1])]), open_stream("b", [pcap([2], link=113)])]
    with pytest.raises(MergeError, match="a: Ethernet; b: Linux cooked"):
        merge(streams)


def test_it_says_who_broke_off() -> None:
    with pytest.raises(MergeError, match="cstor-b ends in the middle of a packet"):
        list(merge([open_stream("cstor-a", [pcap([1])]), open_stream("cstor-b", [pcap([2, 3])[:-1]])]))
    with pytest.raises(MergeError, match="cstor-b ends before its file head"):
        open_stream("cstor-b", [b"abc"])
    with pytest.raises(MergeError, match="not a nanosecond pcap"):
        open_stream("cstor-b", [b"\xd4\xc3\xb2\xa1" + bytes(20)])
