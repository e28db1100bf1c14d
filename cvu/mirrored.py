"""From datagrams of the mirror socket (VXLAN, RFC 7348; GENEVE, RFC 8926) to the frames inside, in place."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from wire.packets.batch import PacketBatch
from wire.packets.bigendian import u8, u32
from wire.packets.decapsulate import GENEVE_PORT, VXLAN_PORT
from wire.packets.decode import decode_batch
from wire.packets.fragments import new_fragment_table
from wire.packets.jit import kernel
from wire.packets.layout import LINK_ETHERNET, new_error_counters, new_packets
from wire.packets.tunnel import peer_time, tunnel_port
from wire.packets.udp import UdpBatch

HEAD_BYTES = 8


class Mirrored(NamedTuple):
    """Frames as they were mirrored, their decoded records, and the VNI that each came under."""

    frames: PacketBatch
    packets: np.ndarray
    vni: np.ndarray


class Unwrapper:
    """Holds the columns of the batch in hand; what it answers is valid until the next batch."""

    def __init__(self, capacity: int) -> None:
        self.errors = new_error_counters()
        self.not_mirrored = 0
        self._packets = new_packets(capacity)
        self._fragments = new_fragment_table()
        self._vni = np.empty(capacity, np.int32)
        self._offset = np.empty(capacity, np.int64)
        self._length = np.empty(capacity, np.int32)
        self._time_ns = np.empty(capacity, np.int64)

    def unwrap(self, batch: UdpBatch) -> Mirrored:
        """The mirrored frames of a batch of datagrams; what is neither VXLAN nor GENEVE is counted and left out."""
        columns = (self._vni, self._offset, self._length, self._time_ns)
        count = find_frames(batch.buffer, batch.offset, batch.length, batch.time_ns, *columns)
        self.not_mirrored += batch.packets - count
        vni, offset, length, time_ns = (column[:count] for column in columns)
        frames = PacketBatch(batch.buffer, offset, length, length, time_ns, LINK_ETHERNET)
        packets = self._packets[:count]
        decode_batch(frames, packets, self.errors, self._fragments)
        packets["vni"] = vni
        return Mirrored(frames, packets, vni)


@kernel
def find_frames(buffer, offset, length, time_ns, vni, frame, frame_length, frame_time):
    """Fill the columns of the frames that stand behind a tunnel's header; answers their number."""
    count = 0
    for index in range(len(offset)):
        start, size = np.int64(offset[index]), np.int64(length[index])
        tunnel = tunnel_port(buffer, start, size)
        head, when = HEAD_BYTES, time_ns[index]
        if tunnel == GENEVE_PORT:
            head += (u8(buffer, start) & 0x3F) << 2
            sent_ns = peer_time(buffer, start, size)
            when = sent_ns if sent_ns > 0 else when
        elif tunnel != VXLAN_PORT:
            continue
        if size <= head:
            continue
        vni[count] = u32(buffer, start + 4) >> 8
        frame[count] = start + head
        frame_length[count] = size - head
        frame_time[count] = when
        count += 1
    return count
