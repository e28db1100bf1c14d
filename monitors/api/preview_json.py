"""A preview as JSON."""

from __future__ import annotations

from typing import Any

from monitors.preview.ask import Preview


def preview_json(found: Preview) -> dict[str, Any]:
    """As PreviewSerializer describes it."""
    cost = found.cost
    return {
        "subject": found.draft.subject,
        "asked": len(found.nodes),
        "answered": len(found.answered),
        "matches": found.matches,
        "seen_on": found.seen_on,
        "rows_per_minute": round(found.rows_per_minute),
        "bytes_per_day": round(cost.bytes_per_day) if cost else 0,
        "folded": found.folded,
        "row_size_is_measured": bool(cost and cost.measured),
        "tiers": [
            {"step": tier.step, "rows_per_day": round(tier.rows), "bytes_per_day": round(tier.bytes)}
            for tier in (cost.tiers if cost else ())
        ],
        "examples": [{"keys": dict(one.keys), "amount": one.amount} for one in found.examples],
        "nodes": [
            {
                "node": one.node.name,
                "error": one.error,
                "matches": one.matches,
                "rows_per_minute": round(one.rows_per_minute),
                "until": one.until,
            }
            for one in found.nodes
        ],
        "took_ms": found.took_ms,
    }
