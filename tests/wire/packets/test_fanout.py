"""Both directions of a flow go to one thread, whatever stands around them; run by our own BPF kernel."""

from __future__ import annotations

import numpy as np
import pytest

from tests.cstor.capture.frames import ethernet, geneve, icmp_error, ip, tcp, udp, vxlan
from wire.filters.bpf_match import MEMORY_WORDS, run
from wire.packets.fanout import fanout_program, frame_program
from wire.packets.layout import FRAGMENT

PROGRAM = frame_program()
A4, B4 = "10.1.2.3", "10.9.8.7"
A6, B6 = "2001:db8::1", "2001:db8:5::2"
PORTS = (40001, 443)


def number(frame: bytes) -> int:
    buffer = np.frombuffer(frame, np.uint8)
    return int(run(PROGRAM, np.zeros(MEMORY_WORDS, np.int64), buffer, 0, len(frame), len(frame)))


def both(a: str, b: str) -> tuple[bytes, bytes]:
    return tcp(a, b, PORTS), tcp(b, a, PORTS[::-1])


AROUND = {
    "plain": lambda packet, way: ethernet(packet),
    "tagged": lambda packet, way: ethernet(packet, ((0x8100, 5 + way),)),
    "tagged twice": lambda packet, way: ethernet(packet, ((0x88A8, 5), (0x8100, 6))),
    "vxlan": lambda packet, way: vxlan(7, ethernet(packet), port=50000 + 77 * way),
    "vxlan from each side": lambda packet, way: vxlan(7, ethernet(packet), f"192.0.2.{way}", 50000 + way),
    "vxlan over IPv6": lambda packet, way: vxlan(7, ethernet(packet), f"2001:db8::{way}", 50000 + way),
    "tags in vxlan": lambda packet, way: vxlan(7, ethernet(packet, ((0x8100, 5),)), port=50000 + way),
    "geneve": lambda packet, way: geneve(7, ethernet(packet), port=50000 + way),
    "geneve with options": lambda packet, way: geneve(7, ethernet(packet), bytes(32), port=50000 + way),
    "IP in geneve": lambda packet, way: geneve(
        7, packet, bytes(8), 0x0800 if packet[0] >> 4 == 4 else 0x86DD, 50000 + way
    ),
}


@pytest.mark.parametrize("ends", [(A4, B4), (A6, B6)], ids=["v4", "v6"])
@pytest.mark.parametrize("around", AROUND.values(), ids=AROUND.keys())
def test_both_directions_meet(around, ends: tuple[str, str]) -> None:
    there, back = both(*ends)
    found = number(around(there, 1))
    assert found == number(around(back, 2)) != 0
    # The number is the flow's, not the tunnel's: the same flow is the same thread however it comes.
    assert found == number(ethernet(there))


@pytest.mark.parametrize("ends", [(A4, B4), (A6, B6)], ids=["v4", "v6"])
def test_udp_too_and_other_protocols_by_addresses(ends: tuple[str, str]) -> None:
    a, b = ends
    assert number(ethernet(udp(a, b, (53, 999)))) == number(ethernet(udp(b, a, (999, 53))))
    assert number(ethernet(udp(a, b, (53, 999)))) != number(ethernet(udp(a, b, (53, 1000))))
    assert number(ethernet(ip(a, b, 47, bytes(20)))) == number(ethernet(ip(b, a, 47, bytes(30)))) != 0


def test_fragments_go_by_addresses() -> None:
    first, second = (tcp(A4, B4, PORTS, fragment=0x2000), ip(A4, B4, 6, b"\xff" * 40, fragment=185))
    assert number(ethernet(first)) == number(ethernet(second)) == number(ethernet(ip(B4, A4, 99, b"")))
    inside = [ip(A6, B6, FRAGMENT, bytes([6, 0, 0, offset, 0, 0, 0, 1]) + bytes(range(40))) for offset in (1, 8)]
    assert number(ethernet(inside[0])) == number(ethernet(inside[1])) == number(ethernet(ip(B6, A6, 99, b"")))


@pytest.mark.parametrize("kind", [0, 43, 60])
def test_extension_headers_are_passed(kind: int) -> None:
    segment = tcp(A6, B6, PORTS)[40:]
    behind = ip(A6, B6, kind, bytes([6, 1]) + bytes(14) + segment)
    assert number(ethernet(behind)) == number(ethernet(tcp(B6, A6, PORTS[::-1])))


@pytest.mark.parametrize("ends", [(A4, B4, "10.0.0.1"), (A6, B6, "2001:db8::9")], ids=["v4", "v6"])
def test_an_error_meets_the_flow_that_it_is_about(ends: tuple[str, str, str]) -> None:
    a, b, router = ends
    there, back = both(a, b)
    assert number(ethernet(icmp_error(router, a, there))) == number(ethernet(back))
    assert number(vxlan(9, ethernet(icmp_error(router, a, there)))) == number(ethernet(back))


@pytest.mark.parametrize("threads", [2, 3, 4, 8])
def test_flows_are_spread_evenly(threads: int) -> None:
    """Even client ports and one server: what a load test makes."""
    flows = [tcp(f"10.0.{n // 200}.{n % 200}", B4, (32768 + 2 * n, 443)) for n in range(2000)]
    counts = np.bincount([number(vxlan(1, ethernet(flow))) % threads for flow in flows], minlength=threads)
    assert counts.min() > 0.8 * 2000 / threads


def test_any_frame_gets_an_answer() -> None:
    frame = vxlan(7, ethernet(tcp(A6, B6, PORTS)))
    for length in range(len(frame)):
        assert number(frame[:length]) >= 0
    chance = np.random.default_rng(3)
    for _ in range(500):
        torn = bytearray(frame)
        for at in chance.integers(0, len(torn), 6):
            torn[at] = int(chance.integers(256))
        assert number(bytes(torn)) >= 0
    assert number(ethernet(tcp(A4, B4, PORTS))[:12] + b"\x08\x06" + bytes(28)) == 0


def test_the_kernel_s_program_is_the_same_behind_its_beginning() -> None:
    ours, kernels = frame_program(), fanout_program()
    count = len(ours) - 3
    assert (ours[-count:] == kernels[-count:]).all()
    assert len(kernels) < 4096 and kernels[:, 1:3].max() <= 255
