"""The samples: one table per step, partitioned by time, one column per base of the metric registry.

The columns are those of the day this was written; a base added later comes by a migration of its own.
"""

from __future__ import annotations

from typing import Any

from django.contrib.postgres.indexes import BrinIndex
from django.db import migrations, models

from monitors.series.partitioned import CreatePartitionedModel

SCALARS = """
    attempts syn_retransmissions established refused unreachable unanswered half_open client_aborted closed
    reset_by_client reset_by_server timed_out missing_syn handshake_rtt_server_count handshake_rtt_server_sum
    handshake_rtt_server_min handshake_rtt_server_max handshake_rtt_client_count handshake_rtt_client_sum
    handshake_rtt_client_min handshake_rtt_client_max handshake_rtt_count handshake_rtt_sum handshake_rtt_min
    handshake_rtt_max connect_time_count connect_time_sum connect_time_min connect_time_max ack_rtt_server_count
    ack_rtt_server_sum ack_rtt_server_min ack_rtt_server_max ack_rtt_client_count ack_rtt_client_sum
    ack_rtt_client_min ack_rtt_client_max response_time_count response_time_sum response_time_min
    response_time_max request_transfer_count request_transfer_sum request_transfer_min request_transfer_max
    response_transfer_count response_transfer_sum response_transfer_min response_transfer_max client_think_count
    client_think_sum client_think_min client_think_max session_duration_count session_duration_sum
    session_duration_min session_duration_max turns_ambiguous timing_errors keep_alives_client
    keep_alives_server zero_window_probes_client zero_window_probes_server zero_windows_client
    zero_windows_server gaps_client gaps_server window_full_client window_full_server duplicate_acks_client
    duplicate_acks_server acked_unseen_client acked_unseen_server spurious_retransmissions_client
    spurious_retransmissions_server fast_retransmissions_client fast_retransmissions_server out_of_order_client
    out_of_order_server retransmissions_client retransmissions_server duplicates_client duplicates_server
    gap_bytes_client gap_bytes_server retransmitted_bytes_client retransmitted_bytes_server
    zero_window_time_client zero_window_time_server min_window_bytes_client min_window_bytes_server
    resets_client resets_server fins_client fins_server syns syn_acks sequence_errors_client
    sequence_errors_server mirror_reordered unseen_bytes_client unseen_bytes_server truncated_client
    truncated_server one_sided packets_client packets_server bytes_client bytes_server payload_bytes_client
    payload_bytes_server data_packets_client data_packets_server fragments_client fragments_server
    max_packet_bytes_client max_packet_bytes_server flow_seconds active_seconds burst_bytes
""".split()
HISTOGRAMS = """
    handshake_rtt_server handshake_rtt_client handshake_rtt connect_time ack_rtt_server ack_rtt_client
    response_time request_transfer response_transfer client_think session_duration
""".split()
RANKED = """
    bytes_client bytes_server packets_client packets_server retransmissions_client retransmissions_server
    attempts established refused unreachable unanswered half_open client_aborted
""".split()


def samples(step: int) -> CreatePartitionedModel:
    indexes: list[Any] = [BrinIndex(fields=["t"], pages_per_range=32, autosummarize=True, name=f"samples_{step}_t")]
    if step in (3600, 86_400):
        indexes.append(
            models.Index(fields=["monitor_id", "t"], include=["group_id", *RANKED], name=f"samples_{step}_rank")
        )
    key = models.CompositePrimaryKey(
        "monitor_id", "group_id", "t", "node_id", blank=True, editable=False, primary_key=True, serialize=False
    )
    return CreatePartitionedModel(
        name=f"Sample{step}",
        fields=[
            ("pk", key),
            ("monitor_id", models.IntegerField()),
            ("group_id", models.BigIntegerField()),
            ("t", models.DateTimeField()),
            ("node_id", models.IntegerField()),
            *((name, models.BigIntegerField(null=True)) for name in SCALARS),
            *((name, models.BinaryField(null=True)) for name in HISTOGRAMS),
        ],
        options={"db_table": f"samples_{step}", "indexes": indexes, "default_permissions": ()},
    )


class Migration(migrations.Migration):
    dependencies = [("monitors", "0001_initial")]
    operations = [samples(step) for step in (1, 10, 60, 600, 3600, 86_400)]
