"""The node's own counters: is the capture itself all right? Rows by second, source, thread and reason.

A row is (source, thread, name, reason, value), where `name` is a key of this file: see cstor/store/node_rows.py.
"""

from __future__ import annotations

from cstor.metrics.metric import BITS, BYTES, COUNT, EVENTS, FLOWS, PACKETS, PERCENT, SECONDS, Unit
from cstor.metrics.subjects import Declare

CPU_SECONDS = Unit("cpu_seconds", "s", "cores")
BASIS_POINTS = 0.01  # fills are stored as integers of a hundredth of a percent

declare = Declare("node", "capture")

declare.counter("packets", "Received packets", PACKETS, "Frames received, by source and thread.")
declare.counter("bytes", "Received bytes", BYTES, "Bytes of the frames received, by source and thread.")
declare.multiple("throughput", "Received", BITS, "8 x bytes of the frames received.", "bytes", scale=8.0)
declare.counter("drops", "Dropped packets", PACKETS, "Packets lost, by source, thread and reason.")
declare.counter("malformed", "Malformed packets", PACKETS, "Packets that could not be decoded to the end, by reason.")
declare.counter("events", "Events", EVENTS, "Everything else that is counted, by reason (evicted flows, moved times).")
declare.counter("stored_packets", "Stored packets", PACKETS, "Packets written to segments.")
declare.counter("stored_bytes", "Stored bytes", BYTES, "Bytes written to segments.")
declare.counter("sessions", "Ended sessions", COUNT, "Sessions that were handed to the store.")
declare.counter("rows", "Conversation rows", COUNT, "Rows of conversations that were handed to the store.")
declare.counter("write_failures", "Failed writes", EVENTS, "Writes to the disk that failed.")
declare.counter("cpu_time", "CPU time", CPU_SECONDS, "Time on a processor, by thread; its rate is cores.", scale=1e-9)
declare.counter("stage_time", "Time per stage", SECONDS, "Time spent in a stage (the reason).", scale=1e-9)
declare.counter("stage_packets", "Packets per stage", PACKETS, "Packets that went through a stage (the reason).")
declare.level("flows", "Open flows", FLOWS, "Flows in the table at the end of each second; its rate is the mean.")
declare.level("conversations", "Open conversations", FLOWS, "Conversations with flows at the end of each second.")
declare.highest("table_occupancy", "Flow table", PERCENT, "Share of the flow table in use.", scale=BASIS_POINTS)
declare.highest(
    "pool_fill",
    "Pool fill",
    PERCENT,
    "Share of a pool of the flow table (the reason) that was ever used at once.",
    scale=BASIS_POINTS,
)
declare.highest("ring_fill", "Ring fill", PERCENT, "Share of the capture ring or socket in use.", scale=BASIS_POINTS)
declare.highest("lag", "Lag", SECONDS, "How far analysis is behind the clock.", scale=1e-9)
declare.highest("write_queue", "Write queue", COUNT, "Batches that wait to be written to segments.")
declare.highest("publish_backlog", "Publish backlog", COUNT, "Parts that wait to become Parquet files.")
declare.highest("reorder_held", "Reorder window", PACKETS, "Packets that wait in the reorder window.")
declare.highest("memory", "Memory", BYTES, "Resident memory of the process.")
declare.highest("disk_used", "Disk used", BYTES, "Bytes in the store's files, by dataset (the reason).")
declare.highest("disk_free", "Disk free", BYTES, "Bytes that are free on the store's disk.")
declare.mean(
    "stage_cost",
    "Time per packet",
    SECONDS,
    "Time of a stage per packet that was taken in.",
    "stage_time",
    "stage_packets",
    scale=1e-9,
)
declare.share("drop_percent", "Dropped", PERCENT, "Drops per packet sent to the node.", "drops", ("packets", "drops"))
