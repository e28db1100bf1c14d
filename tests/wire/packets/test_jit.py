"""The kernel cache: an edit is noticed, wherever it was, and a home that cannot be written stops nobody."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import wire.packets.decode
import wire.packets.pcap
import wire.packets.pcapng
import wire.packets.tunnel
import wire.packets.udp
from wire.packets import jit

ROOT = Path(__file__).resolve().parents[3]
NUMBER = "from __future__ import annotations\n\nBASE = {}\n"
KERNEL = """from __future__ import annotations

from wire.packets.jit import inline, kernel
from wire.other import numbers


@inline
def base():
    return numbers.BASE


@kernel
def answer(x):
    return base() + x


print(answer(1), sum(answer.stats.cache_hits.values()), jit_folder := answer.stats.cache_path)
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A small tree with our jit.py, a kernel, and a constant in another file."""
    for folder in ("wire/packets", "wire/other", "cache"):
        (tmp_path / folder).mkdir(parents=True)
    shutil.copy(ROOT / "wire/packets/jit.py", tmp_path / "wire/packets/jit.py")
    (tmp_path / "wire/other/numbers.py").write_text(NUMBER.format(10))
    (tmp_path / "wire/other/calculate.py").write_text(KERNEL)
    return tmp_path


def run(tree: Path, **environment: str) -> list[str]:
    kept = {name: value for name, value in os.environ.items() if name not in ("NUMBA_CACHE_DIR", "DATA_DIR")}
    done = subprocess.run(
        [sys.executable, "-m", "wire.other.calculate"],
        cwd=tree,
        env={**kept, "NUMBA_DISABLE_JIT": "0", "XDG_CACHE_HOME": str(tree / "cache"), **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.split()


def test_it_compiles_once_and_anew_after_an_edit_elsewhere(tree: Path) -> None:
    first, second = run(tree), run(tree)
    assert [first[:2], second[:2]] == [["11", "0"], ["11", "1"]]
    assert first[2].startswith(str(tree / "cache"))
    (tree / "wire/other/numbers.py").write_text(NUMBER.format(1000))
    assert run(tree)[:2] == ["1001", "0"]
    (tree / "wire/other/unrelated.py").write_text(NUMBER.format(1))
    assert run(tree)[:2] == ["1001", "1"]


def test_it_finds_another_place_when_home_cannot_be_written(tree: Path) -> None:
    blocked = tree / "a file, not a folder"
    blocked.write_text("")
    environment = {"XDG_CACHE_HOME": str(blocked), "HOME": str(blocked), "TMPDIR": str(tree)}
    assert run(tree, **environment)[2].startswith(str(tree / "cclear-kernels-"))
    assert run(tree, **environment, DATA_DIR=str(tree / "data"))[2].startswith(str(tree / "data"))


def test_it_does_not_trust_a_folder_that_others_can_write(tree: Path) -> None:
    folder = tree / "cache/cclear/kernels"
    folder.mkdir(parents=True)
    folder.chmod(0o777)
    found = run(tree, HOME=str(tree), TMPDIR=str(tree))[2]
    assert found.startswith(str(tree / ".cache/cclear"))


def test_it_follows_imports_of_ours_only() -> None:
    reached = {path.relative_to(ROOT).as_posix() for path in jit._imported(ROOT / "wire/packets/decode.py")}
    assert {"wire/packets/layout.py", "wire/packets/transport.py"} <= reached
    assert all(path.startswith("wire/") for path in reached)


MODULES = (wire.packets.decode, wire.packets.pcap, wire.packets.pcapng, wire.packets.tunnel, wire.packets.udp)


@pytest.mark.skipif(os.environ.get("NUMBA_DISABLE_JIT") == "1", reason="nothing is compiled")
def test_it_compiles_each_kernel_for_one_set_of_types(tmp_path: Path) -> None:
    """In a process that reads, decodes, receives and writes; a second signature is compile time and a hidden copy."""
    code = """
import numpy as np
from tests.wire.packets import test_jit, test_tunnel, frames
from wire.packets import capturefile, decode, fragments, layout, pcap, pcapng, tunnel, udp
from wire.packets.batch import batch_of
decode.warm_up()
batch = batch_of([frames.mirrored(frames.ethernet(frames.ipv4(frames.tcp(), 6)))])
for writer in (pcap.PcapWriter("a.pcap"), pcapng.PcapngWriter("a.pcapng")):
    with writer:
        writer.write(batch)
out, counters, table = layout.new_packets(9), layout.new_error_counters(), fragments.new_fragment_table()
receiver = udp.UdpReceiver("127.0.0.1", 0)
sender = udp.UdpSender(*receiver.address)
heads = tunnel.geneve_heads(np.array([1], np.int32), batch.time_ns)
for name in ("a.pcap", "a.pcapng"):
    for read in pcap.open_capture(name):
        decode.decode_batch(read, out, counters, table)
        sender.send(read.buffer, read.offset, read.captured, heads)
        got = receiver.receive(1)
        tunnel.apply_peer_times(got.buffer, got.offset, got.length, got.time_ns)
        decode.decode_batch(tunnel.synthesize_heads(got, "127.0.0.1", 1), out, counters, table)
print(test_jit.signatures())
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "{}"


def signatures() -> dict[str, int]:
    """Kernels called from Python that were not compiled exactly once, with how often they were."""
    names = ("decode_columns", "walk_records", "pack_records", "walk_blocks", "pack_blocks", "parse_messages")
    names += ("write_geneve", "apply_peer_times", "write_heads")
    kernels = [getattr(module, name) for module in MODULES for name in names if hasattr(module, name)]
    assert len(kernels) == len(names)
    return {k.py_func.__name__: len(k.signatures) for k in kernels if len(k.signatures) != 1}
