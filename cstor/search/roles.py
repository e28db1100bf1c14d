"""Which packets run from client to server, for `client` and `server` in a search: a small flow table of its own.

The rule is the flow table's: the sender of the SYN; else the side with the higher port, or the sender of the first
packet that the search sees. A search that begins in the middle of a connection so decides by ports where the node,
which saw the SYN, knew better.
"""

from __future__ import annotations

import numpy as np

from cstor.flows.hashing import flow_hash
from cstor.flows.roles import source_is_server
from wire.packets.jit import kernel
from wire.packets.layout import ACK, SYN, TCP

SLOTS = 1 << 17  # a power of two; older flows are forgotten where a newer one needs their place
WAYS = 8

ROLE = np.dtype(
    [
        ("a_hi", "i8"),
        ("a_lo", "i8"),
        ("b_hi", "i8"),
        ("b_lo", "i8"),
        ("a_port", "i4"),
        ("b_port", "i4"),
        ("vni", "i4"),
        ("protocol", "i2"),
        ("used", "i1"),
        ("server_is_a", "i1"),
    ],
    align=True,
)


class FlowRoles:
    """The roles of the flows that one search has met; packets have to come in their order."""

    def __init__(self) -> None:
        self.table = np.zeros(SLOTS, ROLE)

    def forward(self, packets: np.ndarray) -> np.ndarray:
        """Per packet: 1 from client to server, 0 the other way, -1 not IP."""
        out = np.empty(len(packets), np.int8)
        find_roles(self.table, packets, out)
        return out


@kernel
def find_roles(table, packets, out):
    for index in range(len(packets)):
        packet = packets[index]
        if packet["version"] == 0:
            out[index] = -1
            continue
        slot, is_a = find_flow(table, packet)
        row = table[slot]
        if packet["protocol"] == TCP and packet["flags"] & SYN and packet["complete"] == 1:
            from_server = 1 if packet["flags"] & ACK else 0
            row["server_is_a"] = 1 if from_server == is_a else 0
        out[index] = 0 if row["server_is_a"] == is_a else 1


@kernel
def find_flow(table, packet):
    """The flow's slot, entered if it is new, and 1 if the packet's sender is its side a."""
    src_hi, src_lo, dst_hi, dst_lo = packet["src_hi"], packet["src_lo"], packet["dst_hi"], packet["dst_lo"]
    src_port, dst_port = np.int64(packet["src_port"]), np.int64(packet["dst_port"])
    tag = flow_hash(0, src_hi, src_lo, dst_hi, dst_lo, src_port, dst_port, np.int64(packet["protocol"]))
    first = tag & (len(table) - 1)
    slot = first
    for step in range(WAYS):
        slot = (first + step) & (len(table) - 1)
        row = table[slot]
        if row["used"] == 0:
            break
        if row["protocol"] == packet["protocol"] and row["vni"] == packet["vni"]:
            if is_between(row, packet, 1):
                return slot, 1
            if is_between(row, packet, 0):
                return slot, 0
    if table[slot]["used"] == 1:
        slot = first
    row = table[slot]
    row["a_hi"], row["a_lo"], row["b_hi"], row["b_lo"] = src_hi, src_lo, dst_hi, dst_lo
    row["a_port"], row["b_port"] = src_port, dst_port
    row["protocol"], row["vni"], row["used"] = packet["protocol"], packet["vni"], 1
    row["server_is_a"] = source_is_server(packet)
    return slot, 1


@kernel
def is_between(row, packet, from_a):
    """Whether a packet belongs to a flow, sent by its side a or by its side b."""
    if from_a == 1:
        return (
            row["a_lo"] == packet["src_lo"]
            and row["b_lo"] == packet["dst_lo"]
            and row["a_port"] == packet["src_port"]
            and row["b_port"] == packet["dst_port"]
            and row["a_hi"] == packet["src_hi"]
            and row["b_hi"] == packet["dst_hi"]
        )
    return (
        row["b_lo"] == packet["src_lo"]
        and row["a_lo"] == packet["dst_lo"]
        and row["b_port"] == packet["src_port"]
        and row["a_port"] == packet["dst_port"]
        and row["b_hi"] == packet["src_hi"]
        and row["a_hi"] == packet["dst_hi"]
    )
