"""Links: what came over each VNI of the mirror, whole. Rows by second and VNI; served by `vni` or by nothing."""

from __future__ import annotations

from cstor.metrics.metric import BITS, BYTES, PACKETS, PERCENT
from cstor.metrics.subjects import Declare

declare = Declare("points", "links")

declare.counter("packets", "Packets", PACKETS, "IP packets, copies too; every fragment counts.")
declare.counter("bytes", "Bytes", BYTES, "IP bytes, headers included, by the length field of the innermost IP packet.")
declare.multiple("throughput", "Throughput", BITS, "8 x IP bytes per second.", "bytes", scale=8.0)
declare.highest("link_burst_bytes", "Largest 1 ms burst", BYTES, "Most bytes of the whole link in any one millisecond.")
declare.counter("truncated", "Truncated packets", PACKETS, "Packets of which less was captured than sent.")
declare.counter(
    "drops",
    "Dropped packets",
    PACKETS,
    "Packets lost before they were analysed. Their VNI was never read: they stand in the row without a VNI.",
)
declare.share("truncated_percent", "Truncated", PERCENT, "Truncated packets per packet.", "truncated", ("packets",))
declare.share("drop_percent", "Dropped", PERCENT, "Drops per packet sent to the node.", "drops", ("packets", "drops"))
