"""Loss, order and flow control: the classes of TCP analysis, by who sent the counted packet.

The first eleven are decided as tshark decides them with its defaults, in file order.
"""

from __future__ import annotations

from cstor.metrics.declare import SIDES, counter, counter_pair, extreme
from cstor.metrics.metric import BYTES, EVENTS, PACKETS, SECONDS, SEGMENTS

GROUP = "loss"

counter_pair(
    GROUP, "keep_alives", "Keep-alives", SEGMENTS, "Probes of an idle connection, one byte before the next expected."
)
counter_pair(GROUP, "zero_window_probes", "Zero-window probes", SEGMENTS, "One byte sent against a closed window.")
counter_pair(GROUP, "zero_windows", "Zero windows", SEGMENTS, "Packets that close the sender's receive window.")
counter_pair(
    GROUP, "gaps", "Gaps", EVENTS, "Sequence numbers that jump ahead: something was lost, reordered or not captured."
)
counter_pair(GROUP, "window_full", "Window full", SEGMENTS, "Segments that fill the peer's receive window exactly.")
counter_pair(
    GROUP,
    "duplicate_acks",
    "Duplicate ACKs",
    SEGMENTS,
    "The same ACK and window again, without data.",
    source="RFC 5681",
)
counter_pair(
    GROUP,
    "acked_unseen",
    "ACKs of unseen data",
    SEGMENTS,
    "ACKs for bytes that were never captured; sent by this side, so the other side's data is missing.",
)
counter_pair(
    GROUP, "spurious_retransmissions", "Spurious retransmissions", SEGMENTS, "Resends of what was already acknowledged."
)
counter_pair(
    GROUP,
    "fast_retransmissions",
    "Fast retransmissions",
    SEGMENTS,
    "Resends within 20 ms of duplicate ACKs.",
    source="RFC 5681",
)
counter_pair(GROUP, "out_of_order", "Out of order", SEGMENTS, "Segments that arrived late rather than resent.")
counter_pair(
    GROUP,
    "retransmissions",
    "Retransmissions",
    SEGMENTS,
    "All resends: spurious, fast and plain together.",
    source="RFC 9293",
)
counter_pair(
    GROUP, "duplicates", "Capture duplicates", PACKETS, "Packets captured twice; counted here and nowhere else."
)
counter_pair(GROUP, "gap_bytes", "Gap bytes", BYTES, "Bytes skipped at gaps.")
counter_pair(GROUP, "retransmitted_bytes", "Retransmitted bytes", BYTES, "Payload of retransmissions.")
counter_pair(
    GROUP,
    "zero_window_time",
    "Zero-window time",
    SECONDS,
    "Time during which this side's receive window was closed.",
    scale=1e-9,
)
for side in SIDES:
    extreme(
        GROUP,
        f"min_window_bytes_{side}",
        f"Smallest window, {side}",
        BYTES,
        "Smallest receive window advertised, scaled; none while the scale is unknown.",
        "min",
        side=side,
    )
counter_pair(GROUP, "resets", "Resets", SEGMENTS, "Segments with RST.")
counter_pair(GROUP, "fins", "FINs", SEGMENTS, "Segments with FIN.")
counter(GROUP, "syns", "SYNs", SEGMENTS, "Segments with SYN and without ACK.")
counter(GROUP, "syn_acks", "SYN-ACKs", SEGMENTS, "Segments with SYN and ACK.")
counter_pair(
    GROUP,
    "sequence_errors",
    "Sequence errors",
    SEGMENTS,
    "Sequence numbers more than 2^30 off, and impossible flags (SYN+FIN, SYN+RST, FIN+RST).",
)
counter(
    GROUP,
    "mirror_reordered",
    "Reordered by the mirror",
    PACKETS,
    "Packets that the reorder window put back into order.",
)
