"""Flow-aware spreading: a hash of the innermost 5-tuple that is the same for both directions, and outputs chosen by it.

The two ends are hashed alike and added, so that swapping them changes nothing. The VNI takes no part: both copies of a
flow that is mirrored at both its ends go to the same tool. A fragment carries no ports, so all fragments of a datagram
go by their addresses. An ICMP error goes with the flow that it quotes, since that flow's analysis needs it.

All arithmetic stays within int64: 32-bit words times a constant below 2**31.
"""

from __future__ import annotations

import numpy as np

from wire.packets.jit import inline, kernel
from wire.packets.layout import WHOLE

WORD = 0xFFFFFFFF
MULTIPLIER = 0x5BD1E995
SEED = 0x9747B28C
NO_RULE = -1


@inline
def mixed(value, word):
    value = ((value ^ word) * MULTIPLIER) & WORD
    return value ^ (value >> 15)


@inline
def end_hash(high, low, port):
    value = mixed(SEED, (high >> 32) & WORD)
    value = mixed(value, high & WORD)
    value = mixed(value, (low >> 32) & WORD)
    value = mixed(value, low & WORD)
    return mixed(value, port)


@kernel
def flow_hash(row):
    """32 bits for a decoded packet, the same in both directions of its flow; 0 for what is not IP."""
    if row["version"] == 0:
        return 0
    if row["quoted_protocol"] != 0:
        source = end_hash(row["quoted_src_hi"], row["quoted_src_lo"], np.int64(row["quoted_src_port"]))
        target = end_hash(row["quoted_dst_hi"], row["quoted_dst_lo"], np.int64(row["quoted_dst_port"]))
        return mixed(mixed((source + target) & WORD, np.int64(row["quoted_protocol"])), 0)
    source_port, target_port = np.int64(row["src_port"]), np.int64(row["dst_port"])
    if row["fragment"] != WHOLE:
        source_port, target_port = 0, 0
    source = end_hash(row["src_hi"], row["src_lo"], source_port)
    target = end_hash(row["dst_hi"], row["dst_lo"], target_port)
    return mixed(mixed((source + target) & WORD, np.int64(row["protocol"])), 0)


@kernel
def spread(packets, rule_of, is_balanced, first, count, table, goes):
    """Set goes[output, packet] for every packet that a rule takes: one output of a balanced rule, else all of them."""
    for index in range(len(rule_of)):
        rule = rule_of[index]
        if rule == NO_RULE or count[rule] == 0:
            continue
        if is_balanced[rule]:
            share = flow_hash(packets[index]) * count[rule] >> 32
            goes[table[first[rule] + share], index] = True
        else:
            for place in range(first[rule], first[rule] + count[rule]):
                goes[table[place], index] = True
