"""Conversations that have flows: (client, server, server port, protocol, vni, is_copy) -> the rows of the open seconds.

Open addressing with linear probing over 32-bit pairs (31 bits of hash, number), entries dense in a pool, deletion by
shifting back (Knuth, The Art of Computer Programming, vol. 3, 6.4, algorithm R), so that there are no tombstones.
"""

from __future__ import annotations

import numpy as np

from cstor.flows.hashing import conversation_hash
from cstor.flows.registers import ARENAS, CONVERSATION_FREE, CONVERSATION_HIGH, CONVERSATIONS, SEED
from cstor.flows.table import insert_entry, remove_entry
from wire.packets.jit import kernel, part

CONVERSATION_STATE = np.dtype(
    [
        ("client_hi", "i8"),
        ("client_lo", "i8"),
        ("server_hi", "i8"),
        ("server_lo", "i8"),
        ("server_port", "i4"),
        ("vni", "i4"),
        ("protocol", "i2"),
        ("vlan", "i2"),  # of the first flow: an attribute, not part of the key
        ("is_copy", "u1"),
        ("tag", "i4"),
        ("flows", "i4"),  # flows that name it; freed with the last
        ("open", "i4"),  # TCP connections that are open
        ("row", "i4", (ARENAS,)),  # its rows in the open seconds, valid for one serial of the arena
        ("row_serial", "i8", (ARENAS,)),
        ("late_second", "i8"),  # second of its row in LATE
    ],
    align=True,
)
CONVERSATION_BYTES = CONVERSATION_STATE.itemsize


@part
def find_conversation(index, pool, tag, flow, client, vni, is_copy):
    """Number of the conversation of a flow whose side `client` (0 a, 1 b) is the client; -1 where there is none."""
    client_hi = flow["b_hi"] if client else flow["a_hi"]
    client_lo = flow["b_lo"] if client else flow["a_lo"]
    server_hi = flow["a_hi"] if client else flow["b_hi"]
    server_lo = flow["a_lo"] if client else flow["b_lo"]
    server_port = flow["a_port"] if client else flow["b_port"]
    mask = len(index) - 1
    at = tag & mask
    while index[at, 1] >= 0:
        if index[at, 0] == tag:
            found = pool[index[at, 1]]
            same = (
                found["client_lo"] == client_lo and found["server_lo"] == server_lo and found["client_hi"] == client_hi
            )
            same = same and found["server_hi"] == server_hi and found["server_port"] == server_port
            if same and found["protocol"] == flow["protocol"] and found["vni"] == vni and found["is_copy"] == is_copy:
                return index[at, 1]
        at = (at + 1) & mask
    return -1


@kernel
def enter(index, pool, registers, flow, is_open):
    """The conversation that a flow belongs to now, made where it is new, with the flow counted into it."""
    client = flow["client_side"]
    client_hi = flow["b_hi"] if client else flow["a_hi"]
    client_lo = flow["b_lo"] if client else flow["a_lo"]
    server_hi = flow["a_hi"] if client else flow["b_hi"]
    server_lo = flow["a_lo"] if client else flow["b_lo"]
    port = flow["a_port"] if client else flow["b_port"]
    protocol = np.int64(flow["protocol"])
    vni = flow["vni"]
    tag = conversation_hash(registers[SEED], client_hi, client_lo, server_hi, server_lo, port, protocol, vni)
    number = find_conversation(index, pool, tag, flow, client, vni, flow["is_copy"])
    if number < 0:
        number = registers[CONVERSATION_FREE]
        if number >= 0:
            registers[CONVERSATION_FREE] = pool[number]["flows"]
        else:
            number = registers[CONVERSATION_HIGH]
            registers[CONVERSATION_HIGH] += 1
        new = pool[number]
        new["client_hi"], new["client_lo"] = client_hi, client_lo
        new["server_hi"], new["server_lo"] = server_hi, server_lo
        new["server_port"], new["vni"], new["protocol"] = port, vni, protocol
        new["vlan"], new["is_copy"], new["tag"] = flow["vlan"], flow["is_copy"], tag
        new["flows"], new["open"] = 0, 0
        for slot in range(ARENAS):
            new["row_serial"][slot] = 0
        insert_entry(index, tag, number)
        registers[CONVERSATIONS] += 1
    pool[number]["flows"] += 1
    pool[number]["open"] += is_open
    flow["conversation"] = number
    flow["row_serial"][0], flow["row_serial"][1] = 0, 0


@kernel
def leave(index, pool, registers, flow, is_open):
    """Count a flow out of its conversation, and forget the conversation with its last flow."""
    number = flow["conversation"]
    conversation = pool[number]
    conversation["flows"] -= 1
    conversation["open"] -= is_open
    if conversation["flows"] == 0:
        remove_entry(index, conversation["tag"], number)
        conversation["flows"] = registers[CONVERSATION_FREE]
        registers[CONVERSATION_FREE] = number
        registers[CONVERSATIONS] -= 1
