"""The verbs with which a group declares its bases and metrics; each registers what it names."""

from __future__ import annotations

from cstor.metrics.metric import (
    COUNTER_STATS,
    EXTREME_STATS,
    HISTOGRAM_STATS,
    PERCENT,
    RATIO_STATS,
    SECONDS,
    Base,
    Metric,
    Side,
    Threshold,
    Unit,
    bases,
    metrics,
)

SIDES: tuple[Side, Side] = ("client", "server")


def counter(
    group: str,
    key: str,
    label: str,
    unit: Unit,
    help: str,
    *,
    side: Side | None = None,
    scale: float = 1.0,
    source: str = "",
) -> None:
    """A sum over all that was seen, and the metric of the same name. `scale` turns the base's integer into the unit."""
    bases.add(key, Base(key, "sum", unit, help, side))
    metrics.add(
        key, Metric(key, label, "counter", unit, group, COUNTER_STATS, help, {key: 1}, scale=scale, source=source)
    )


def counter_pair(
    group: str, key: str, label: str, unit: Unit, help: str, *, scale: float = 1.0, source: str = ""
) -> None:
    """Sums `<key>_client` and `<key>_server`, split by who sent the counted packet, and `<key>` over both."""
    for side in SIDES:
        counter(group, f"{key}_{side}", f"{label}, {side}", unit, help, side=side, scale=scale, source=source)
    total(group, key, label, unit, help, {f"{key}_client": 1, f"{key}_server": 1}, scale=scale, source=source)


def total(
    group: str,
    key: str,
    label: str,
    unit: Unit,
    help: str,
    terms: dict[str, int],
    *,
    scale: float = 1.0,
    source: str = "",
    headline: bool = False,
    stats: tuple[str, ...] = COUNTER_STATS,
    threshold: Threshold | None = None,
) -> None:
    """A counter that is a weighted sum of other counters; it has no base of its own."""
    metrics.add(
        key,
        Metric(
            key,
            label,
            "counter",
            unit,
            group,
            stats,
            help,
            terms,
            scale=scale,
            source=source,
            headline=headline,
            threshold=threshold,
        ),
    )


def extreme(group: str, key: str, label: str, unit: Unit, help: str, kind: str, *, side: Side | None = None) -> None:
    """A minimum or maximum, and the metric of the same name."""
    bases.add(key, Base(key, "min" if kind == "min" else "max", unit, help, side))
    metrics.add(key, Metric(key, label, "extreme", unit, group, EXTREME_STATS, help, {key: 1}))


def ratio(
    group: str,
    key: str,
    label: str,
    help: str,
    terms: dict[str, int],
    per: dict[str, int],
    *,
    headline: bool = False,
    threshold: Threshold | None = None,
) -> None:
    """100 x sum / sum; null where the denominator is 0."""
    metrics.add(
        key,
        Metric(
            key,
            label,
            "ratio",
            PERCENT,
            group,
            RATIO_STATS,
            help,
            terms,
            per,
            scale=100.0,
            headline=headline,
            threshold=threshold,
        ),
    )


def timing(
    group: str,
    key: str,
    label: str,
    help: str,
    *,
    side: Side | None = None,
    source: str = "",
    headline: bool = False,
    threshold: Threshold | None = None,
) -> None:
    """A histogram of durations with its four exact scalars beside it (count, sum, min, max; nanoseconds)."""
    bases.add(key, Base(key, "histogram", SECONDS, help, side))
    for part, kind in (("count", "sum"), ("sum", "sum"), ("min", "min"), ("max", "max")):
        bases.add(f"{key}_{part}", Base(f"{key}_{part}", kind, SECONDS, f"{part} of {key}", side))  # type: ignore[arg-type]
    metrics.add(
        key,
        Metric(
            key,
            label,
            "histogram",
            SECONDS,
            group,
            HISTOGRAM_STATS,
            help,
            {key: 1},
            scale=1e-9,
            source=source,
            headline=headline,
            threshold=threshold,
        ),
    )


def alias(group: str, key: str, of: str, label: str, help: str, *, threshold: Threshold | None = None) -> None:
    """A headline: another metric under the name that operators use."""
    source = metrics[of]
    metrics.add(
        key,
        Metric(
            key,
            label,
            source.kind,
            source.unit,
            group,
            source.stats,
            help,
            source.terms,
            source.per,
            scale=source.scale,
            source=source.source,
            headline=True,
            threshold=threshold,
        ),
    )
