"""`vni N` over packets: a VXLAN or GENEVE network in any layer of the frame.

The decoder keeps one VNI per packet, the mirror's. Where that is another one, the headers are walked again by the
decoder's own steps into a scratch record that forgets its VNI before each layer.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from wire.packets.batch import PacketBatch
from wire.packets.decode import BLANK
from wire.packets.ip import extensions, ipv4, ipv6
from wire.packets.jit import kernel
from wire.packets.layout import AH, MAX_TUNNELS, new_error_counters, new_packets
from wire.packets.link import TYPE_IPV4, TYPE_IPV6, link_header, resolve
from wire.packets.transport import transport


def has_vni(batch: PacketBatch, packets: np.ndarray, number: int) -> NDArray[np.bool_]:
    """Which packets carry the VNI in any layer; `packets` are the batch's decoded records."""
    found = np.asarray(packets["vni"] == number)
    unsure = (packets["vni"] >= 0) & ~found
    if unsure.any():
        frames = (batch.buffer, batch.offset, batch.captured, batch.wire_length)
        match_inner(*frames, batch.link_type, number, unsure, found, new_packets(1), new_error_counters())
    return found


@kernel
def match_inner(buffer, offset, captured, wire_length, link_type, number, unsure, found, scratch, counters):
    for index in range(len(offset)):
        if unsure[index]:
            end = offset[index] + captured[index]
            stop = offset[index] + max(wire_length[index], captured[index])
            scratch[0] = BLANK[0]
            row = scratch[0]
            found[index] = walk_layers(buffer, offset[index], end, stop, link_type, number, row, counters)


@kernel
def walk_layers(buffer, base, end, stop, link_type, number, row, counters):
    """Follow headers inwards until a layer has the VNI; fragments and malformed packets end the walk."""
    found, at = link_header(buffer, base, end, link_type)
    for _ in range(MAX_TUNNELS + 1):
        if found != TYPE_IPV4 and found != TYPE_IPV6:
            found, at, _ = resolve(buffer, at, end, found)
        if found == TYPE_IPV4:
            protocol, at, end, stop, is_piece = ipv4(buffer, at, end, stop, base, row)
        elif found == TYPE_IPV6:
            protocol, at, end, stop, is_piece = ipv6(buffer, at, end, stop, base, row)
        else:
            return False
        if protocol == AH:
            protocol, at, is_piece = extensions(buffer, at, end, stop, protocol, row)
        if protocol < 0 or is_piece:
            return False
        row["vni"] = -1
        found, at = transport(buffer, at, end, stop, base, protocol, row, counters)
        if row["vni"] == number:
            return True
        if found <= 0:
            return False
    return False
