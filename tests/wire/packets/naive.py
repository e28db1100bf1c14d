"""A plain reading of one frame, written from the RFCs without regard to speed: what the kernels are compared with.

Header by header on byte strings that shrink, exceptions for what is wrong. Fragments are reported, not put together.
"""

from __future__ import annotations

from struct import unpack_from
from typing import Any

Fields = dict[str, Any]
EXTENSIONS = {0, 43, 44, 51, 60, 135, 139, 140}


class Malformed(Exception):
    """A reason from layout.ERRORS."""


class Unread(Exception):
    """A tunnel that this reading does not know; tests of their own cover those."""


class Frame:
    """One frame and what has been found in it."""

    def __init__(self, data: bytes, wire_length: int) -> None:
        self.data, self.whole = data, max(wire_length, len(data))
        self.found: Fields = {"version": 0, "error": "none", "vni": -1, "vlan": -1, "tunnels": 0, "complete": 0}
        self.weak_vni = False

    def need(self, at: int, count: int, stop: int) -> None:
        if min(stop, len(self.data)) - at < count:
            raise Malformed("cut_header")

    def number(self, at: int, size: int) -> int:
        return int.from_bytes(self.data[at : at + size], "big")


def naive_decode(data: bytes, wire_length: int) -> Fields | None:
    """Fields of an Ethernet frame under the names of layout.PACKET, `error` as its name; None for an unknown tunnel."""
    frame = Frame(data, wire_length)
    try:
        layer = ethernet(frame, 0, frame.whole)
        while layer is not None:
            layer = network(frame, *layer)
    except Malformed as fault:
        frame.found["error"] = str(fault)
        frame.found["complete"] = 0
    except Unread:
        return None
    return frame.found


def ethernet(frame: Frame, at: int, stop: int) -> tuple[int, int, int]:
    frame.need(at, 14, stop)
    return frame.number(at + 12, 2), at + 14, stop


def network(frame: Frame, kind: int, at: int, stop: int) -> tuple[int, int, int] | None:
    """One step of tags, labels or IP; None at the end."""
    if kind in (0x8100, 0x88A8, 0x9100, 0x9200):
        frame.need(at, 4, stop)
        if not frame.found["tunnels"] and not frame.found["version"] and frame.found["vlan"] < 0:
            frame.found["vlan"] = frame.number(at, 2) & 0xFFF
        return frame.number(at + 2, 2), at + 4, stop
    if kind in (0x8847, 0x8848):
        last = 0
        while not last:
            frame.need(at, 5, stop)
            last, at = frame.data[at + 2] & 1, at + 4
        nibble = frame.data[at] >> 4
        if nibble not in (4, 6):
            raise Unread
        return {4: 0x0800, 6: 0x86DD}[nibble], at, stop
    if kind == 0x0800 and at < min(stop, len(frame.data)) and frame.data[at] >> 4 != 6:
        return ipv4(frame, at, stop)
    if kind == 0x0800:
        frame.need(at, 20, stop)
        return ipv6(frame, at, stop)
    if kind == 0x86DD:
        return ipv6(frame, at, stop)
    return finish(frame)


def finish(frame: Frame) -> None:
    frame.found["complete"] = int(frame.found["version"] != 0)


def entered(frame: Frame, version: int, protocol: int, at: int, length: int, ident: int) -> None:
    """An IP header was found at `at`: it is the innermost one now."""
    inner = frame.found["version"] != 0
    frame.found.update(version=version, protocol=protocol, ip_length=length, ip_offset=at, ip_id=ident, fragment=0)
    frame.found.update(src_port=0, dst_port=0, payload_length=0, tunnels=frame.found["tunnels"] + inner)


def place(offset: int, more: bool) -> int:
    return (1 if more else 0) if offset == 0 else (2 if more else 3)


def ipv4(frame: Frame, at: int, stop: int) -> tuple[int, int, int] | None:
    frame.need(at, 20, stop)
    version, header = frame.data[at] >> 4, (frame.data[at] & 15) * 4
    if version != 4:
        raise Malformed("bad_ip_version")
    if header < 20:
        raise Malformed("bad_ip_header_length")
    length = frame.number(at + 2, 2) or stop - at
    if length < header:
        raise Malformed("bad_ip_length")
    word = frame.number(at + 6, 2)
    entered(frame, 4, frame.data[at + 9], at, length, frame.number(at + 4, 2))
    frame.found.update(src=frame.data[at + 12 : at + 16], dst=frame.data[at + 16 : at + 20])
    frame.found["fragment"] = place((word & 0x1FFF) * 8, bool(word & 0x2000))
    frame.need(at, header, at + length)
    if frame.found["fragment"]:
        return piece(frame, at + header, at + length, (word & 0x1FFF) * 8)
    if frame.data[at + 9] == 51:
        return extensions(frame, 51, at + header, at + length)
    return transport(frame, frame.data[at + 9], at + header, at + length)


def ipv6(frame: Frame, at: int, stop: int) -> tuple[int, int, int] | None:
    frame.need(at, 40, stop)
    if frame.data[at] >> 4 != 6:
        raise Malformed("bad_ip_version")
    length, following = frame.number(at + 4, 2) + 40, frame.data[at + 6]
    if length == 40 and following != 59:
        length = max(length, stop - at)
    entered(frame, 6, following, at, length, -1)
    frame.found.update(src=frame.data[at + 8 : at + 24], dst=frame.data[at + 24 : at + 40])
    return extensions(frame, following, at + 40, at + length)


def extensions(frame: Frame, protocol: int, at: int, stop: int) -> tuple[int, int, int] | None:
    for _ in range(16):
        if protocol not in EXTENSIONS:
            frame.found["protocol"] = protocol
            return transport(frame, protocol, at, stop)
        if stop - at < 8:
            raise Malformed("bad_extension_header")
        frame.need(at, 8, stop)
        following, size = frame.data[at], frame.data[at + 1]
        if protocol == 44:
            word = frame.number(at + 2, 2)
            frame.found.update(ip_id=frame.number(at + 4, 4), fragment=place(word & 0xFFF8, bool(word & 1)))
            at += 8
            if frame.found["fragment"]:
                frame.found["protocol"] = following
                return piece(frame, at, stop, word & 0xFFF8)
        else:
            at += (size + 2) * 4 if protocol == 51 else (size + 1) * 8
        protocol = following
        if at > stop:
            raise Malformed("bad_extension_header")
    raise Malformed("bad_extension_header")


def piece(frame: Frame, at: int, stop: int, offset: int) -> None:
    length = stop - at
    if length <= 0 or offset + length > 65535 or (frame.found["fragment"] in (1, 2) and length % 8):
        raise Malformed("bad_fragment")
    is_named = frame.found["fragment"] == 1 and frame.found["protocol"] in (6, 17, 132)
    if is_named and min(stop, len(frame.data)) - at >= 8:
        frame.found["src_port"], frame.found["dst_port"] = unpack_from(">HH", frame.data, at)


def transport(frame: Frame, protocol: int, at: int, stop: int) -> tuple[int, int, int] | None:
    end = min(stop, len(frame.data))
    if protocol in (6, 17, 33, 132, 136) and end - at >= 4:
        frame.found["src_port"], frame.found["dst_port"] = unpack_from(">HH", frame.data, at)
    if protocol == 6:
        return tcp(frame, at, stop)
    if protocol == 17:
        return udp(frame, at, stop)
    frame.found["payload_length"] = stop - at
    if protocol in (47, 97, 137):
        raise Unread
    if protocol in (4, 41) and frame.found["tunnels"] < 4:
        return (0x0800 if protocol == 4 else 0x86DD), at, stop
    if protocol in (1, 58):
        if stop - at < 4:
            raise Malformed("bad_icmp")
        frame.need(at, 4, stop)
        frame.found["payload_length"] = max(stop - at - 8, 0)
    return finish(frame)


def tcp(frame: Frame, at: int, stop: int) -> None:
    if stop - at < 20:
        raise Malformed("bad_tcp_header")
    frame.need(at, 20, stop)
    header = (frame.data[at + 12] >> 4) * 4
    if not 20 <= header <= stop - at:
        raise Malformed("bad_tcp_header")
    seq, ack, _, flags, window = unpack_from(">IIBBH", frame.data, at + 4)
    unseen = min(stop, frame.whole) <= at + header
    payload = 0 if flags & 2 and unseen else stop - at - header
    frame.found.update(seq=seq, ack=ack, flags=flags, window=window, payload_length=payload)
    return finish(frame)


def udp(frame: Frame, at: int, stop: int) -> tuple[int, int, int] | None:
    if stop - at < 8:
        raise Malformed("bad_udp_length")
    frame.need(at, 8, stop)
    length = frame.number(at + 4, 2)
    if length and not 8 <= length <= stop - at:
        raise Malformed("bad_udp_length")
    frame.found["payload_length"] = stop - at - 8
    target, inside = frame.found["dst_port"], at + 8
    if target in (2152, 4790, 6635, 3544) or frame.found["src_port"] == 3544:
        raise Unread
    if target in (4789, 6081) and stop - inside >= 8:
        frame.need(inside, 8, stop)
        opened = vxlan(frame, inside) if target == 4789 else geneve(frame, inside, stop)
        if opened and frame.found["tunnels"] < 4:
            return ethernet(frame, opened, stop)
    return finish(frame)


def vxlan(frame: Frame, at: int) -> int:
    if not frame.data[at] & 8:
        return 0
    if frame.found["vni"] < 0 or frame.weak_vni:
        frame.found["vni"], frame.weak_vni = frame.number(at + 4, 3), False
    return at + 8


def geneve(frame: Frame, at: int, stop: int) -> int:
    if frame.data[at] >> 6:
        return 0
    inside = at + 8 + (frame.data[at] & 63) * 4
    if inside > stop:
        raise Malformed("bad_tunnel")
    frame.need(at, inside - at, stop)
    if frame.found["vni"] < 0:
        frame.found["vni"] = frame.number(at + 4, 3)
        option = at + 8
        while inside - option >= 4:
            size = 4 + (frame.data[option + 3] & 31) * 4
            if option + size > inside:
                raise Malformed("bad_tunnel")
            frame.weak_vni |= frame.number(option, 2) == 0x0108
            option += size
    return inside if frame.number(at + 2, 2) == 0x6558 else 0
