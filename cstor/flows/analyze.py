"""analyze_batch: for each packet find its flow and its row, then call each analyzer, in a fixed and visible order.

Every measurement is one file in analyzers/. Those that need the TCP state as it was before the packet come first; the
loss analyzer moves it on with `move_on`.
"""

from __future__ import annotations

import numpy as np

from cstor.buckets.arena import attach, slot_of
from cstor.buckets.columns import (
    COLUMN_ACTIVE,
    COLUMN_FLOWS,
    COLUMNS,
    DUPLICATES,
    MIRROR_REORDERED,
)
from cstor.buckets.conversations import CONVERSATION_BYTES
from cstor.flows.analyzers.burst import add_burst
from cstor.flows.analyzers.connections import OPEN, follow_connection
from cstor.flows.analyzers.history import D, letters_of, write_history
from cstor.flows.analyzers.loss import classify, move_on, report_loss
from cstor.flows.analyzers.rtt import time_acks
from cstor.flows.analyzers.turns import follow_turns
from cstor.flows.analyzers.unreachable import follow_quotation
from cstor.flows.analyzers.visibility import watch_holes, watch_unseen
from cstor.flows.analyzers.volume import add_fragment, add_volume
from cstor.flows.analyzers.window import watch_window
from cstor.flows.clock import NS, clock_must_move
from cstor.flows.copies import review_copy
from cstor.flows.hashing import conversation_hash, flow_hash
from cstor.flows.layout import CACHE_LINE, FLOW_BYTES, SIDE_BYTES
from cstor.flows.ledger import BLOCK_BYTES, count
from cstor.flows.lifecycle import open_flow, restart, revive
from cstor.flows.registers import BEHIND, CLOCK, LATE, NOT_IP, PACKETS, ROW, SEED, SERIAL, SLOT, WANTED
from cstor.flows.roles import correct_roles
from cstor.flows.seq import UNKNOWN
from cstor.flows.state import BLOCK
from cstor.flows.table import ENTRY_BYTES, find_flow, is_between
from wire.packets.jit import inline, kernel, part, prefetch
from wire.packets.layout import ACK, DUPLICATE, FIN, MOVED, PACKET, RST, SYN, TCP

ROW_BYTES, PACKET_BYTES = 8 * COLUMNS, PACKET.itemsize
AHEAD = 16  # packets whose records are asked for before they are read


@kernel
def analyze_batch(state, packets, start):
    """Analyse packets from `start` on; returns where it stopped, for the clock to be moved, or their number."""
    registers = state.out.registers
    touched = start
    for at in range(start, len(packets)):
        if at == touched:
            touched = min(at + BLOCK, len(packets))
            resolve(state, registers, packets, at, touched)
        packet = packets[at]
        if packet["version"] == 0:
            registers[NOT_IP] += 1
            continue
        second = packet["time_ns"] // NS
        if second == registers[CLOCK]:
            registers[BEHIND] = 0
        elif clock_must_move(registers, packets, at, len(packets), second):
            registers[WANTED] = second
            return at
        registers[PACKETS] += 1
        found = state.found[at & (BLOCK - 1)]
        if found < 0:
            found = find_or_open(state, packet, state.tags[at & (BLOCK - 1)])
        analyze_packet(state, packet, found, second)
    return len(packets)


@part
def find_or_open(state, packet, tag):
    """The side of a packet whose flow was not there when its block was resolved."""
    number = find_packet(state, packet, tag)
    if number < 0:
        number = open_flow(state, packet, tag)
    return 2 * number + side_of(state.flows[number], packet)


@kernel
def resolve(state, registers, packets, start, end):
    """Hash a block of packets, find their flows, and ask for the cache lines that they will need.

    Each pass needs what the one before has asked for, and waits for none of it as long as the block is large enough.
    """
    mask = len(state.index) - 1
    for at in range(start, end):
        prefetch(packets, (at + AHEAD) * PACKET_BYTES)
        prefetch(packets, (at + AHEAD) * PACKET_BYTES + CACHE_LINE)
        tag = packet_hash(registers[SEED], packets[at])
        state.tags[at & (BLOCK - 1)] = tag
        prefetch(state.index, (tag & mask) * ENTRY_BYTES)
    for at in range(start, end):
        tag = state.tags[at & (BLOCK - 1)]
        slot = tag & mask
        while state.index[slot, 1] >= 0 and state.index[slot, 0] != tag:
            slot = (slot + 1) & mask
        number = np.int64(state.index[slot, 1])
        state.found[at & (BLOCK - 1)] = number
        if number >= 0:
            prefetch(state.flows, number * FLOW_BYTES)
            prefetch(state.flows, number * FLOW_BYTES + CACHE_LINE)
            prefetch(state.sides, 2 * number * SIDE_BYTES)
            prefetch(state.sides, (2 * number + 1) * SIDE_BYTES)
            if packets[at]["flags"] & (SYN | FIN | RST):
                prefetch(state.flows, number * FLOW_BYTES + 2 * CACHE_LINE)
        else:
            ask_for_conversation(state, registers, packets[at])
    for at in range(start, end):
        number = state.found[at & (BLOCK - 1)]
        if number >= 0:
            resolve_side(state, registers, packets[at], number, at & (BLOCK - 1))


@inline
def ask_for_conversation(state, registers, packet):
    """Ask for the index entry of the conversation of a new flow, if its first packet is the client's."""
    src_hi, src_lo, dst_hi, dst_lo = packet["src_hi"], packet["src_lo"], packet["dst_hi"], packet["dst_lo"]
    server_port, protocol = packet["dst_port"], np.int64(packet["protocol"])
    tag = conversation_hash(registers[SEED], src_hi, src_lo, dst_hi, dst_lo, server_port, protocol, packet["vni"])
    prefetch(state.conversation_index, (tag & (len(state.conversation_index) - 1)) * ENTRY_BYTES)


@inline
def resolve_side(state, registers, packet, number, entry):
    """Note the side of a packet's flow and ask for the rest of what the analysis will need."""
    side = side_in(state.flows[number], packet)
    if side < 0:  # another flow with this hash: a copy under another VNI, mostly
        number = find_packet(state, packet, state.tags[entry])
        side = side_of(state.flows[number], packet) if number >= 0 else 0
    if number < 0:
        state.found[entry] = number
    else:
        flow = state.flows[number]
        side += 2 * number
        state.found[entry] = side
        prefetch(state.sides, side * SIDE_BYTES + CACHE_LINE)
        if state.sides[side ^ 1]["ring_used"] > 0:
            prefetch(state.sides, (side ^ 1) * SIDE_BYTES + CACHE_LINE)
            prefetch(state.flows, number * FLOW_BYTES + 2 * CACHE_LINE)
        if packet["flags"] & (SYN | FIN | RST) and flow["cells"] >= 0:
            prefetch(state.out.cells, flow["cells"] * BLOCK_BYTES)
        slot = registers[CLOCK] & 1
        if flow["row_serial"][slot] == registers[SERIAL + slot]:
            place = (slot * state.arena.dense.shape[1] + flow["row"][slot]) * ROW_BYTES
            prefetch(state.arena.dense, place)
            prefetch(state.arena.dense, place + CACHE_LINE)
        else:
            prefetch(state.flows, number * FLOW_BYTES + 2 * CACHE_LINE)
            prefetch(state.conversations, flow["conversation"] * CONVERSATION_BYTES)
            prefetch(state.conversations, flow["conversation"] * CONVERSATION_BYTES + CACHE_LINE)


@inline
def packet_hash(seed, packet):
    """The hash of a packet's flow."""
    return flow_hash(
        seed,
        packet["src_hi"],
        packet["src_lo"],
        packet["dst_hi"],
        packet["dst_lo"],
        packet["src_port"],
        packet["dst_port"],
        packet["protocol"],
    )


@inline
def find_packet(state, packet, tag):
    """The flow of a packet, -1 where it has none yet."""
    return find_flow(
        state.index,
        state.flows,
        tag,
        packet["src_hi"],
        packet["src_lo"],
        packet["dst_hi"],
        packet["dst_lo"],
        packet["src_port"],
        packet["dst_port"],
        packet["protocol"],
        packet["vni"],
    )


@inline
def side_in(flow, packet):
    """0 or 1 if a packet comes from the flow's end a or b, -1 if it is of another flow."""
    src_hi, src_lo, src_port = packet["src_hi"], packet["src_lo"], packet["src_port"]
    dst_hi, dst_lo, dst_port = packet["dst_hi"], packet["dst_lo"], packet["dst_port"]
    side = -1
    if flow["vni"] == packet["vni"] and flow["protocol"] == packet["protocol"]:
        if is_between(flow, src_hi, src_lo, src_port, dst_hi, dst_lo, dst_port):
            side = 0
        elif is_between(flow, dst_hi, dst_lo, dst_port, src_hi, src_lo, src_port):
            side = 1
    return side


@inline
def side_of(flow, packet):
    """0 if the packet comes from the flow's end a."""
    is_a = (
        flow["a_lo"] == packet["src_lo"] and flow["a_port"] == packet["src_port"] and flow["a_hi"] == packet["src_hi"]
    )
    return 0 if is_a else 1


@inline
def analyze_packet(state, packet, found, second):
    """One packet of a flow."""
    number, side = found >> 1, found & 1
    flow = state.flows[number]
    own = state.sides[found]
    peer = state.sides[found ^ 1]
    is_tcp = packet["protocol"] == TCP and packet["complete"] == 1
    if is_tcp and packet["flags"] & (SYN | ACK) == SYN and own["isn"] != UNKNOWN and own["isn"] != packet["seq"]:
        restart(state, number, packet, side)
    elif flow["is_dormant"] == 1:
        revive(state, number, packet)
    role = side ^ flow["client_side"]
    registers = state.out.registers
    find_row(state, registers, flow, number, second, packet["time_ns"])
    if is_tcp and packet["flags"] & SYN and flow["role_guessed"] == 1:
        role = correct_roles(state, flow, packet, role)
    if packet["marks"] != 0:
        report_marks(state.out, flow, packet, role)
        if packet["marks"] & DUPLICATE:
            return
    row = state.arena.dense[registers[SLOT], registers[ROW]]
    if packet["time_ns"] > flow["last_ns"]:
        flow["last_ns"] = packet["time_ns"]
    elif packet["time_ns"] < flow["start_ns"]:
        flow["start_ns"] = packet["time_ns"]
    add_volume(row, own, packet, role)
    add_burst(row, flow, packet)
    add_fragment(state.out, flow, packet, role)
    if is_tcp:
        analyze_tcp(state, packet, number, flow, own, peer, row, side, role)
    else:
        if packet["payload_length"] > 0:
            write_history(flow, D, side)
        if packet["quoted_protocol"] != 0:
            follow_quotation(state, packet)


@kernel
def report_marks(out, flow, packet, role):
    """What capture did to a packet; a duplicate is counted here and in nothing else."""
    if packet["marks"] & MOVED:
        count(out, flow, MIRROR_REORDERED, 1)
    if packet["marks"] & DUPLICATE:
        count(out, flow, DUPLICATES + role, 1)


@inline
def analyze_tcp(state, packet, number, flow, own, peer, row, side, role):
    """The TCP analyzers in their order."""
    out = state.out
    flags = classify(flow, own, peer, packet)
    watch_holes(own, packet, flags)
    watch_unseen(out, flow, peer, packet, role)
    gap = move_on(flow, own, peer, packet, flags)
    if flags != 0:
        report_loss(out, flow, packet, flags, gap, role)
    time_acks(out, flow, own, peer, packet, flags, role)
    follow_connection(state, number, flow, own, peer, packet, side, role)
    follow_turns(out, flow, peer, packet, flags, role)
    watch_window(out, flow, own, packet, row, role)
    write_history(flow, letters_of(packet, flags), side)


@inline
def find_row(state, registers, flow, number, second, now):
    """Point the cursor to the flow's row of this second."""
    slot = slot_of(registers, second)
    if slot != LATE and flow["row_serial"][slot] == registers[SERIAL + slot]:
        registers[SLOT] = slot
        registers[ROW] = flow["row"][slot]
    else:
        enter_second(state, number, second, now)


@part
def enter_second(state, number, second, now):
    """The first packet of a flow in a second."""
    flow = state.flows[number]
    if flow["is_shared"] == 1:
        review_copy(state, number, now)
    registers = state.out.registers
    conversation = state.conversations[flow["conversation"]]
    slot = attach(state.arena, registers, conversation, second)
    if slot == LATE:
        if flow["late_second"] == second:
            return
        flow["late_second"] = second
    else:
        flow["row"][slot] = registers[ROW]
        flow["row_serial"][slot] = registers[SERIAL + slot]
    row = state.arena.dense[slot, registers[ROW]]
    row[COLUMN_FLOWS] += 1
    row[COLUMN_ACTIVE] = conversation["open"]
    flow["flow_seconds"] += 1
    if flow["phase"] == OPEN:
        flow["active_seconds"] += 1
