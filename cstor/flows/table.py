"""The flow index: open addressing over 32-bit pairs (31 bits of hash, number in the dense pool of rows).

An index entry costs 8 bytes and a probe touches no row unless the hash agrees. The home of an entry follows from its
hash alone, so growing and removing (by shifting back: Knuth, vol. 3, 6.4, algorithm R) never read the rows. The hash
leaves out the VNI: the copies of a flow under other VNIs lie on one probe path.
"""

from __future__ import annotations

import numpy as np

from wire.packets.jit import inline, kernel

EMPTY = -1
ENTRY_BYTES = 8


def new_index(entries: int) -> np.ndarray:
    """An empty index; `entries` is a power of two."""
    return np.full((entries, 2), EMPTY, np.int32)


@kernel
def insert_entry(index, tag, number):
    """Add an entry that is not there yet; there must be room."""
    mask = len(index) - 1
    at = tag & mask
    while index[at, 1] >= 0:
        at = (at + 1) & mask
    index[at, 0] = tag
    index[at, 1] = number


@kernel
def remove_entry(index, tag, number):
    """Remove an entry and close the gap."""
    mask = len(index) - 1
    at = tag & mask
    while index[at, 1] != number:
        if index[at, 1] < 0:
            return
        at = (at + 1) & mask
    after = (at + 1) & mask
    while index[after, 1] >= 0:
        home = index[after, 0] & mask
        if ((after - home) & mask) >= ((after - at) & mask):
            index[at, 0] = index[after, 0]
            index[at, 1] = index[after, 1]
            at = after
        after = (after + 1) & mask
    index[at, 1] = EMPTY


@kernel
def copy_entries(old, new):
    """Fill an empty, larger index."""
    for at in range(len(old)):
        if old[at, 1] >= 0:
            insert_entry(new, old[at, 0], old[at, 1])


@inline
def is_between(flow, a_hi, a_lo, a_port, b_hi, b_lo, b_port):
    """True if these are the flow's ends, in this order."""
    same = flow["a_lo"] == a_lo and flow["b_lo"] == b_lo and flow["a_port"] == a_port and flow["b_port"] == b_port
    return same and flow["a_hi"] == a_hi and flow["b_hi"] == b_hi


@inline
def find_flow(index, flows, tag, src_hi, src_lo, dst_hi, dst_lo, src_port, dst_port, protocol, vni):
    """Number of the flow of a packet in either direction, -1 where there is none."""
    mask = len(index) - 1
    at = tag & mask
    while index[at, 1] >= 0:
        if index[at, 0] == tag:
            flow = flows[index[at, 1]]
            same = flow["vni"] == vni and flow["protocol"] == protocol
            if same and is_between(flow, src_hi, src_lo, src_port, dst_hi, dst_lo, dst_port):
                return index[at, 1]
            if same and is_between(flow, dst_hi, dst_lo, dst_port, src_hi, src_lo, src_port):
                return index[at, 1]
        at = (at + 1) & mask
    return EMPTY


@kernel
def find_sibling(index, flows, number, only_primary):
    """Another flow with the same 5-tuple under another VNI (the primary one if asked so), -1 where there is none."""
    own = flows[number]
    mask = len(index) - 1
    at = own["tag"] & mask
    while index[at, 1] >= 0:
        if index[at, 0] == own["tag"] and index[at, 1] != number:
            flow = flows[index[at, 1]]
            same = is_between(flow, own["a_hi"], own["a_lo"], own["a_port"], own["b_hi"], own["b_lo"], own["b_port"])
            turned = is_between(flow, own["b_hi"], own["b_lo"], own["b_port"], own["a_hi"], own["a_lo"], own["a_port"])
            if (same or turned) and flow["protocol"] == own["protocol"] and (flow["is_copy"] == 0 or only_primary == 0):
                return index[at, 1]
        at = (at + 1) & mask
    return EMPTY
