"""Damaged frames and files, senseless connections, impossible times: no crash, no hang, no read outside a buffer.

The same work is done by the compiled kernels, by the same code uncompiled (NumPy checks each index, and says where
numbers overflow), and by kernels compiled with Numba's bounds check; the last takes minutes to compile and is done as a
whole by `make soak`.
"""

from __future__ import annotations

import os
import random
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cstor.capture.vxlan import VxlanSource
from cstor.engine import Decoder
from cstor.flows.analysis import AnalysisConfig
from cstor.store.log import SECOND, LogWriter, read_blocks
from tests.cstor.fuzz.workload import CLOCKS, analyse, decode, feed, files, frames, records
from tests.packets import EPOCH
from wire.packets.layout import PACKET, TCP

ROOT = Path(__file__).resolve().parents[3]
SMALL = AnalysisConfig(max_flows=8192, max_rows=50)


def run(*parts: str, **environment: str) -> None:
    """Parts of the workload in a process of their own."""
    command = [sys.executable, "-W", "error::RuntimeWarning", "-m", "tests.cstor.fuzz.workload", *parts]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, check=False, timeout=1800
    )
    assert (done.returncode, done.stdout.split()) == (0, list(parts)), done.stderr[-2000:]


def test_it_survives_damaged_frames_and_files() -> None:
    decode()
    files()


def test_it_survives_senseless_packets_at_impossible_times() -> None:
    analyse()


def test_nothing_is_read_outside_a_buffer_when_nothing_is_compiled() -> None:
    run("decode", "files", "little", NUMBA_DISABLE_JIT="1")


def test_decoding_reads_nothing_outside_a_buffer_when_bounds_are_checked() -> None:
    """Compiled with checks once; the kernels are kept beside the usual ones."""
    run("decode", "files", NUMBA_BOUNDSCHECK="1", NUMBA_CACHE_DIR=str(Path(os.environ["NUMBA_CACHE_DIR"]) / "checked"))


@pytest.mark.parametrize("clock", CLOCKS)
def test_every_packet_is_counted_whatever_its_time(clock: str) -> None:
    packets = records(1500, 11)
    packets["time_ns"] = CLOCKS[clock](packets["time_ns"], random.Random(1))
    counters = feed(packets, SMALL)
    assert counters["packets"] + counters["not_ip"] == len(packets)


def test_a_packet_a_year_ahead_does_not_close_the_connections_of_today() -> None:
    packets = records(3000, 12)
    packets = packets[np.argsort(packets["time_ns"], kind="stable")]
    strayed = packets.copy()
    strayed["time_ns"][len(packets) // 2] += 365 * 86_400 * 10**9
    plain, with_stray = feed(packets, SMALL), feed(strayed, SMALL)
    assert with_stray["time_outliers"] == 1
    assert abs(with_stray["sessions"] - plain["sessions"]) <= 2


numbers = st.one_of(st.integers(-(2**31), 2**31 - 1), st.sampled_from([0, 1, 2**31 - 1, -1]))


@given(st.lists(st.fixed_dictionaries(dict.fromkeys(("seq", "ack", "payload_length"), numbers)), max_size=30))
@settings(max_examples=60, deadline=None)
def test_it_survives_numbers_that_no_decoder_gives(rows: list[dict[str, int]]) -> None:
    packets = np.zeros(len(rows), PACKET)
    packets["version"], packets["protocol"], packets["complete"] = 4, TCP, 1
    packets["time_ns"] = EPOCH + np.arange(len(rows)) * 1000
    packets["src_port"] = np.arange(len(rows)) % 2
    packets["flags"] = np.arange(len(rows)) * 7 % 256
    for name in ("seq", "ack"):
        packets[name] = [row[name] % 2**32 for row in rows]
    packets["payload_length"] = [row["payload_length"] for row in rows]
    assert feed(packets, SMALL)["packets"] == len(rows)


def test_datagrams_of_rubbish_are_decoded_to_something() -> None:
    source, decoder = VxlanSource("127.0.0.1:0"), Decoder()
    source.open()
    sent = [frame for _, frame in frames(300, 7)]
    with socket.socket(type=socket.SOCK_DGRAM) as sender:
        for number, frame in enumerate(sent):
            sender.sendto(b"\x08\0\0\0\0\0\x07\0" * (number % 2) + frame, ("127.0.0.1", source.port))
    seen = 0
    while seen < len(sent) and (batch := source.read(5.0)) is not None:
        seen += len(decoder.decode(batch))
    source.close()
    assert seen == len(sent)


@given(st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=6), st.integers(0, 400))
@settings(max_examples=150, deadline=None)
def test_a_damaged_log_is_read_up_to_the_damage(
    tmp_path_factory: pytest.TempPathFactory, wrong: list[tuple[int, int]], cut: int
) -> None:
    path = tmp_path_factory.mktemp("log") / "a.log"
    writer = LogWriter(path)
    for number in range(5):
        writer.append(SECOND, [bytes([number]) * 50])
    writer.close()
    with path.open("rb") as file:
        whole = list(read_blocks(file))
    data = bytearray(path.read_bytes()[: max(cut, 1)])
    before = bytes(data)
    for at, value in wrong:
        if at < len(data):
            data[at] = value
    touched = [at for at in range(len(data)) if data[at] != before[at]]
    path.write_bytes(data)
    with path.open("rb") as file:
        found = list(read_blocks(file))
    first = min([*touched, len(data)])
    assert found == [block for block in whole if block.end <= first]
