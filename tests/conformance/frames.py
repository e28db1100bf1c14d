"""Frame by frame: what tshark says of each, and what the plain reference of our rules (tests/naive.py) says."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from tests.conformance.compare import CLASSES
from tests.conformance.ours import End, address
from tests.conformance.theirs import tshark_frames
from tests.naive import LossTable
from wire.packets.batch import MAX_PACKETS, batch_of
from wire.packets.decode import decode_batch
from wire.packets.fragments import new_fragment_table
from wire.packets.layout import TCP, new_error_counters, new_packets
from wire.packets.pcap import CaptureError, PcapWriter, open_capture

LETTERS = {1: "F", 2: "S", 4: "R", 8: "P", 16: "A"}


def records(path: Path) -> np.ndarray:
    """Every packet of a capture as a PACKET record."""
    out, errors, fragments = new_packets(MAX_PACKETS), new_error_counters(), new_fragment_table()
    found = []
    try:
        with open_capture(path) as reader:
            for batch in reader:
                decode_batch(batch, out, errors, fragments)
                found.append(out[: batch.packets].copy())
    except CaptureError as error:
        if not error.partial:
            raise
    return np.concatenate(found)


def disagreements(path: Path) -> Iterator[str]:
    """One line per frame of which the classes differ."""
    told: dict[int, dict[str, Any]] = {number: values for number, _, _, values in tshark_frames(path)}
    tables: dict[frozenset[End], LossTable] = defaultdict(LossTable)
    for number, one in enumerate(records(path), 1):
        if one["protocol"] != TCP or not one["complete"]:
            continue
        source = (address(one["src_hi"], one["src_lo"]), int(one["src_port"]))
        target = (address(one["dst_hi"], one["dst_lo"]), int(one["dst_port"]))
        ours = tables[frozenset((source, target))].feed(int(source > target), one)
        theirs = {CLASSES[name] for name in told.get(number, {}).get("classes", ())}
        if ours != theirs:
            flags = "".join(letter for bit, letter in LETTERS.items() if one["flags"] & bit)
            numbers = f"seq {one['seq']} ack {one['ack']} len {one['payload_length']} win {one['window']}"
            ends = f"{source[0]}:{source[1]} > {target[0]}:{target[1]}"
            yield f"frame {number} {ends} {flags} {numbers}: ours {sorted(ours)}, tshark {sorted(theirs)}"


def mirror_points(path: Path, folder: Path) -> list[Path]:
    """The capture itself; or, where one 5-tuple lies under several VNIs, a capture per VNI in the folder."""
    packets = records(path)
    if not _has_copies(packets):
        return [path]
    parts: dict[int, PcapWriter] = {}
    at = 0
    with ExitStack() as stack, open_capture(path) as reader:
        for batch in reader:
            vnis = packets["vni"][at : at + batch.packets]
            at += batch.packets
            for vni in np.unique(vnis):
                if vni not in parts:
                    place = folder / f"vni-{vni}.pcap"
                    parts[vni] = stack.enter_context(PcapWriter(place, batch.link_type, nanoseconds=True))
                chosen = [int(number) for number in np.flatnonzero(vnis == vni)]
                wires = batch.wire_length[chosen].tolist()
                times = batch.time_ns[chosen].tolist()
                parts[vni].write(batch_of([batch.frame(number) for number in chosen], times, wires, batch.link_type))
    return sorted(folder.glob("vni-*.pcap"))


def _has_copies(packets: np.ndarray) -> bool:
    """True if two packets of one direction of one 5-tuple lie under different VNIs."""
    names = ["src_hi", "src_lo", "dst_hi", "dst_lo", "src_port", "dst_port"]
    tcp = packets[(packets["protocol"] == TCP) & (packets["complete"] == 1)]
    ways = {tuple(one[names].tolist()) for one in tcp} if len(np.unique(tcp["vni"])) > 1 else set()
    return len({(*one[names].tolist(), int(one["vni"])) for one in tcp}) > len(ways) > 0
