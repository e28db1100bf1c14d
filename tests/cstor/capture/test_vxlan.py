"""The UDP source: VXLAN and GENEVE over loopback, whole, cut, late, too many, or nothing of the kind."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import numpy as np
import pytest

from cstor.capture.vxlan import VxlanSource
from cstor.config import ConfigError
from cstor.engine import Decoder
from tests.cstor.capture.frames import ethernet, geneve, tcp, vxlan
from tests.source import ROOT
from wire.packets.batch import PacketBatch

INNER = tcp("10.0.0.1", "10.0.0.2", (40000, 443))
OUTER = 42  # bytes of Ethernet, IPv4 and UDP that frames.vxlan and geneve put before the datagram


@pytest.fixture
def source() -> Iterator[VxlanSource]:
    made = VxlanSource("127.0.0.1:0")
    made.open()
    yield made
    made.close()


def send(source: VxlanSource, *datagrams: bytes) -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as sender:
        for datagram in datagrams:
            sender.sendto(datagram, ("127.0.0.1", source.port))


def read(source: VxlanSource) -> PacketBatch:
    batch = source.read(5.0)
    assert batch is not None
    return batch


def decoded(batch: PacketBatch) -> np.ndarray:
    return Decoder().decode(batch).copy()


def test_it_takes_vxlan_and_geneve_on_any_port(source: VxlanSource) -> None:
    frame = ethernet(INNER)
    whole = [vxlan(7, frame), geneve(8, frame), geneve(9, frame, bytes(32)), geneve(10, INNER, bytes(32), 0x0800)]
    send(source, *(one[OUTER:] for one in whole))
    records = decoded(read(source))
    assert records["vni"].tolist() == [7, 8, 9, 10]
    assert records["src_port"].tolist() == [40000] * 4
    assert records["tunnels"].tolist() == [1] * 4


def test_what_looks_like_neither_is_taken_for_the_tunnel_that_was_named() -> None:
    source = VxlanSource("127.0.0.1:0", tunnel="geneve")
    source.open()
    mpls = geneve(5, bytes(30), kind=0x8847)[OUTER:]
    send(source, mpls)
    batch = read(source)
    assert int.from_bytes(batch.frame(0)[36:38], "big") == 6081
    source.close()


def test_a_datagram_that_is_too_long_is_cut_and_counted() -> None:
    source = VxlanSource("127.0.0.1:0", snaplen=128)
    source.open()
    frames = [vxlan(7, ethernet(tcp("10.0.0.1", "10.0.0.2", (1, 2), length))) for length in (0, 500, 1400)]
    send(source, *(frame[OUTER:] for frame in frames))
    batch = read(source)
    assert batch.wire_length.tolist() == [len(frame) for frame in frames]
    assert batch.captured.tolist() == [len(frames[0]), OUTER + 128, OUTER + 128]
    assert source.truncated == 2
    records = decoded(batch)
    assert records["ip_length"].tolist() == [40, 540, 1440]
    assert not records["error"].any()
    source.close()


def test_rubbish_is_stored_and_harms_nothing(source: VxlanSource) -> None:
    chance = np.random.default_rng(5)
    whole = vxlan(7, ethernet(INNER))[OUTER:]
    datagrams = [chance.bytes(int(size)) for size in chance.integers(1, 1400, 200)]
    datagrams += [whole[:length] for length in range(1, len(whole))] + [b""]
    send(source, *datagrams)
    seen = 0
    while (batch := source.read(0.2)) is not None:
        seen += batch.packets
        decoded(batch)
    assert seen == len(datagrams)


def test_what_the_socket_cannot_hold_is_counted_even_if_nothing_follows() -> None:
    source = VxlanSource("127.0.0.1:0", receive_buffer="64 KiB")
    source.open()
    datagrams = [bytes([8, 0, 0, 0, 0, 0, 1, 0]) + bytes(1000)] * 500
    send(source, *datagrams)
    assert source.threads()[0]["ring_fill"] > 0.5
    dropped = source.drops()["kernel"]
    seen = 0
    while (batch := source.read(0.2)) is not None:
        seen += batch.packets
    assert dropped > 0 and seen + dropped == 500
    source.close()
    assert source.drops()["kernel"] == dropped


@pytest.mark.skipif(os.geteuid() != 0, reason="gives up root's rights")
def test_it_warns_when_the_kernel_gives_less_room() -> None:
    """Root may exceed the system's limit, others may not."""
    code = (
        "import os, socket\n"
        "from cstor.capture.vxlan import VxlanSource\n"
        "socket.getaddrinfo('127.0.0.1', 0)\n"
        "os.setgid(65534); os.setuid(65534)\n"
        "for wanted in ('1 GB', '64 KiB'):\n"
        "    source = VxlanSource('127.0.0.1:0', receive_buffer=wanted)\n"
        "    source.open()\n"
        "    print(source.warnings)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    warned, silent = done.stdout.splitlines()
    assert "sysctl -w net.core.rmem_max=1000000000" in warned
    assert silent == "[]"


def test_times_are_the_kernel_s(source: VxlanSource) -> None:
    send(source, vxlan(7, ethernet(INNER))[OUTER:])
    sent = time.time_ns()
    time.sleep(0.2)
    (when,) = read(source).time_ns.tolist()
    assert abs(when - sent) < 150_000_000


def test_it_says_what_to_do(source: VxlanSource) -> None:
    with pytest.raises(ConfigError, match="is another node or broker running there"):
        VxlanSource(f"127.0.0.1:{source.port}").open()
    with pytest.raises(ConfigError, match="tunnel is one of auto, vxlan, geneve"):
        VxlanSource(tunnel="gre")
    with pytest.raises(ConfigError, match="snaplen"):
        VxlanSource(snaplen=1)
    with pytest.raises(ConfigError, match="receive_buffer"):
        VxlanSource(receive_buffer="3 GiB")
