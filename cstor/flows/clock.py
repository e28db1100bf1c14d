"""The clock of an analysis is the time of its packets, and it is not fooled by one bad time stamp.

It moves on with each packet of a later second. A jump of more than ten seconds must be confirmed by the next packet;
a jump back is believed after 32 packets in a row. Packets outside the open seconds are counted in the second that
they name.
"""

from __future__ import annotations

from cstor.flows.registers import BEHIND, CLOCK, LATE_PACKETS, LIVE, NEVER, OUTLIERS
from wire.packets.jit import kernel

JUMP_SECONDS = 10
BELIEVED_BEHIND = 32
NS = 1_000_000_000


@kernel
def clock_must_move(registers, packets, at, end, second):
    """True if the clock has to be moved to this second before the packet is analysed."""
    clock = registers[CLOCK]
    if clock == NEVER:
        return True
    if second > clock:
        if registers[LIVE] == 1 or second - clock <= JUMP_SECONDS or at + 1 == end:
            return True
        if abs(packets[at + 1]["time_ns"] // NS - second) <= JUMP_SECONDS:
            return True
        registers[OUTLIERS] += 1
        return False
    if second == clock - 1:
        return False
    registers[LATE_PACKETS] += 1
    registers[BEHIND] += 1
    if registers[BEHIND] < BELIEVED_BEHIND or registers[LIVE] == 1:
        return False
    registers[BEHIND] = 0
    return True
