"""Links and the nodes' own counters: their columns in every samples table, and the keys that they are kept by.

The columns are those of the day this was written; a base added later comes by a migration of its own.
"""

from __future__ import annotations

from django.db import migrations, models

SCALARS = """
    points_packets points_bytes points_link_burst_bytes points_truncated points_drops node_packets node_bytes
    node_drops node_malformed node_events node_stored_packets node_stored_bytes node_sessions node_rows
    node_write_failures node_cpu_time node_stage_time node_stage_packets node_flows node_conversations
    node_table_occupancy node_pool_fill node_ring_fill node_lag node_write_queue node_publish_backlog node_reorder_held
    node_memory node_disk_used node_disk_free
""".split()


class Migration(migrations.Migration):
    dependencies = [("monitors", "0003_captures_tokens")]
    operations = [
        *(migrations.AddField("group", name, models.TextField(null=True)) for name in ("source", "thread", "reason")),
        *(
            migrations.AddField(f"sample{step}", name, models.BigIntegerField(null=True))
            for step in (1, 10, 60, 600, 3600, 86_400)
            for name in SCALARS
        ),
    ]
