"""Frames on a wire of their own, captured: all of them, in the right thread, with what is missing counted."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import numpy as np
import pytest

from cstor.capture.afpacket import AfpacketSource
from cstor.config import ConfigError
from tests.cstor.capture.frames import ethernet, geneve, icmp_error, tcp, udp, vxlan
from tests.cstor.capture.namespaces import Wire, inside, ip, needs_root, wire
from tests.source import ROOT
from wire.packets.layout import LINK_ETHERNET

__all__ = ["wire"]
pytestmark = needs_root


@pytest.fixture
def here(wire: Wire) -> Iterator[Wire]:
    """This thread is where the near end is."""
    with inside(wire.near_space):
        yield wire


def taken(source: AfpacketSource, wanted: int, seconds: float = 10) -> list[list[bytes]]:
    """Frames by thread, until there are so many or nothing more comes."""
    frames: list[list[bytes]] = [[] for _ in source.readers]
    end = time.monotonic() + seconds
    while sum(map(len, frames)) < wanted and time.monotonic() < end:
        for reader, found in zip(source.readers, frames, strict=True):
            batch = reader.read(0.01)
            if batch is not None:
                assert batch.link_type == LINK_ETHERNET
                assert abs(batch.time_ns - time.time_ns()).max() < 60e9
                found += [batch.frame(n) for n in range(batch.packets)]
    return frames


def conversation(number: int) -> tuple[bytes, bytes]:
    a, b, port = f"10.0.0.{number % 200}", "10.0.1.1", 32768 + 2 * number
    return tcp(a, b, (port, 443)), tcp(b, a, (443, port))


def test_it_captures_frames_as_they_are(here: Wire) -> None:
    source = AfpacketSource(here.near, ring="4 MiB")
    source.open()
    frames = [ethernet(tcp("10.0.0.1", "10.0.0.2", (n + 1, 80), length=n)) for n in range(1400)]
    here.send(frames)
    assert taken(source, len(frames)) == [frames]
    assert source.packets == len(frames) and source.frame_bytes == sum(map(len, frames))
    assert source.drops() == {"ring": 0, "interface": 0}
    source.check()
    assert source.state == "capturing"
    source.close()
    assert source.read() is None


def test_it_puts_tags_back(here: Wire) -> None:
    source = AfpacketSource(here.near, ring="4 MiB")
    source.open()
    packet = tcp("10.0.0.1", "10.0.0.2", (1, 80))
    frames = [ethernet(packet, tags) for tags in (((0x8100, 77),), ((0x88A8, 5),), ((0x88A8, 5), (0x8100, 0x3123)))]
    here.send(frames)
    assert taken(source, 3) == [frames]
    source.close()


@pytest.mark.parametrize("threads", [2, 3])
def test_both_directions_meet_in_one_thread(here: Wire, threads: int) -> None:
    source = AfpacketSource(here.near, threads=threads, ring="4 MiB")
    source.open()
    ways: list[bytes] = []
    for n in range(300):
        there, back = conversation(n)
        error = icmp_error("10.7.7.7", "10.0.0.1", there)
        if n % 3 == 0:
            ways += [ethernet(way, ((0x8100, n),)) for way in (there, back, error)]
        elif n % 3 == 1:
            ways += [vxlan(n, ethernet(way), port=50000 + 11 * k) for k, way in enumerate((there, back, error))]
        else:
            ways += [
                geneve(n, ethernet(way), bytes(12), port=50000 + 11 * k) for k, way in enumerate((there, back, error))
            ]
    here.send(ways)
    by_thread = taken(source, len(ways))
    assert sorted(frame for frames in by_thread for frame in frames) == sorted(ways)
    where = {frame: number for number, frames in enumerate(by_thread) for frame in frames}
    for at in range(0, len(ways), 3):
        assert len({where[way] for way in ways[at : at + 3]}) == 1
    assert min(map(len, by_thread)) > 0.5 * len(ways) / threads
    assert taken(source, 1, 0.05) == [[]] * threads  # the last block is given back when the next is asked for
    rows = source.threads()
    assert [row["packets"] for row in rows] == [len(frames) for frames in by_thread]
    assert all(row["ring_fill"] == row["freezes"] == row["drops"]["ring"] == 0 for row in rows)
    source.close()


def test_what_a_full_ring_does_not_take_is_counted(here: Wire) -> None:
    source = AfpacketSource(here.near, ring="4 MiB")
    source.open()
    frame = ethernet(udp("10.0.0.1", "10.0.0.2", (1, 2), bytes(1400)))
    for _ in range(3):
        here.send([frame] * 1000)
    time.sleep(0.1)
    assert source.threads()[0]["ring_fill"] == 1.0
    (frames,) = taken(source, 3000, 1)
    drops = source.drops()["ring"]
    assert drops > 0 and len(frames) + drops == 3000
    assert source.threads()[0]["freezes"] > 0
    here.send([frame] * 10)
    assert len(taken(source, 10)[0]) == 10
    source.close()
    assert source.drops()["ring"] == drops


def test_snaplen_cuts_and_is_counted(here: Wire) -> None:
    source = AfpacketSource(here.near, ring="4 MiB", snaplen=96)
    source.open()
    frames = [ethernet(udp("10.0.0.1", "10.0.0.2", (1, 2), bytes(size))) for size in (4, 20, 1000, 1400)]
    here.send(frames)
    (batch,) = (batch for _ in range(500) if (batch := source.read(0.01)) is not None)
    assert batch.captured.tolist() == [min(96, len(frame)) for frame in frames]
    assert batch.wire_length.tolist() == [len(frame) for frame in frames]
    assert source.truncated == source.threads()[0]["truncated"] == 2
    source.close()


def test_a_filter_in_the_kernel(here: Wire) -> None:
    source = AfpacketSource(here.near, ring="4 MiB", filter="udp port 53", snaplen=64)
    source.open()
    frames = [ethernet(udp("10.0.0.1", "10.0.0.2", (53 if n % 2 else 54, 999))) for n in range(20)]
    here.send(frames)
    assert taken(source, 10) == [[frame[:64] for frame in frames[1::2]]]
    source.close()


def test_what_this_machine_sends_only_if_asked(here: Wire) -> None:
    for outgoing in (False, True):
        source = AfpacketSource(here.near, ring="4 MiB", threads=2, outgoing=outgoing)
        source.open()
        there, back = conversation(1)
        ip("-n", here.near_space, "addr", "flush", "dev", here.near)
        near_end = Wire.__new__(Wire)
        near_end.far_space, near_end.far = here.near_space, here.near
        near_end.send([ethernet(there)] * 5)
        here.send([ethernet(back)] * 5)
        by_thread = taken(source, 10 if outgoing else 5, 5)
        assert sorted(map(len, by_thread)) == [0, 10 if outgoing else 5]
        source.close()


def test_loopback_shows_each_packet_once(here: Wire) -> None:
    ip("-n", here.near_space, "link", "set", "lo", "up")
    source = AfpacketSource("lo", ring="4 MiB", outgoing=True)
    source.open()
    with socket.socket(type=socket.SOCK_DGRAM) as sender:
        for n in range(7):
            sender.sendto(bytes([n]) * 9, ("127.0.0.1", 9))
    (frames,) = taken(source, 100, 1)
    assert len([frame for frame in frames if frame[14 + 9] == 17]) == 7
    source.close()


def test_hostile_frames_pass(here: Wire) -> None:
    source = AfpacketSource(here.near, threads=2, ring="4 MiB")
    source.open()
    chance = np.random.default_rng(1)
    whole = vxlan(7, ethernet(tcp("2001:db8::1", "2001:db8::2", (1, 2)), ((0x8100, 5),)))
    frames = [whole[:length] for length in range(14, len(whole))]
    frames += [whole[:12] + chance.bytes(int(size)) for size in chance.integers(2, 1400, 300)]
    here.send(frames)
    by_thread = taken(source, len(frames))
    assert sorted(frame for some in by_thread for frame in some) == sorted(frames)
    source.close()


def test_an_interface_that_goes_and_comes_back(here: Wire) -> None:
    source = AfpacketSource(here.near, threads=2, ring="4 MiB")
    source.open()
    frames = [ethernet(way) for n in range(20) for way in conversation(n)]
    here.send(frames)
    assert sum(map(len, taken(source, 40))) == 40
    ip("-n", here.near_space, "link", "set", here.near, "down")
    source.check()
    assert source.state == "failed" and "ip link set" in (source.problem or "")
    ip("-n", here.near_space, "link", "set", here.near, "up")
    source.check()
    assert source.state == "capturing"
    here.send(frames)
    assert sum(map(len, taken(source, 40))) == 40
    ip("-n", here.near_space, "link", "del", here.near)
    source.check()
    assert "is gone" in (source.problem or "")
    link = ["link", "add", here.near, "netns", here.near_space, "type", "veth"]
    ip(*link, "peer", "name", here.far, "netns", here.far_space)
    for space, interface in ((here.near_space, here.near), (here.far_space, here.far)):
        ip("-n", space, "link", "set", interface, "up")
    end = time.monotonic() + 10
    while source.state != "capturing" and time.monotonic() < end:
        source.check()
        time.sleep(0.1)
    taken(source, 1000, 0.2)
    before = source.packets
    here.send(frames)
    by_thread = taken(source, 40)
    assert set(frames) <= {frame for some in by_thread for frame in some}
    assert source.packets >= before + 40
    source.close()


def test_it_says_what_to_do(here: Wire) -> None:
    with pytest.raises(ConfigError, match="no interface nosuch0; there are lo"):
        AfpacketSource("nosuch0").open()
    ip("-n", here.near_space, "link", "set", here.near, "down")
    with pytest.raises(ConfigError, match="is down; ip link set"):
        AfpacketSource(here.near).open()
    ip("-n", here.near_space, "link", "set", here.near, "up")
    with pytest.raises(ConfigError, match="make ring smaller"):
        AfpacketSource(here.near, ring="4 TiB").open()
    with pytest.raises(ConfigError, match="filter: "):
        AfpacketSource(here.near, filter="host and").open()
    with pytest.raises(ConfigError, match="vlan and vni"):
        AfpacketSource(here.near, filter="vlan 5").open()
    for wrong in ({"threads": 0}, {"snaplen": 5}, {"ring": "1 KB"}):
        with pytest.raises(ConfigError, match=next(iter(wrong))):
            AfpacketSource(here.near, **wrong)


def test_without_the_right_it_names_the_right(here: Wire) -> None:
    code = (
        "import os\n"
        "from cstor.capture.afpacket import AfpacketSource\n"
        "from cstor.config import ConfigError\n"
        "os.setgid(65534); os.setuid(65534)\n"
        "try: AfpacketSource('lo').open()\n"
        "except ConfigError as error: print(error)\n"
    )
    ip("-n", here.near_space, "link", "set", "lo", "up")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT)
    assert "setcap cap_net_raw+ep" in done.stdout, done.stderr
