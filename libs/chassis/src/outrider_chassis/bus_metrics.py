"""Consumer groups as Prometheus sees them. Team names are no labels: a group of all teams' inboxes is one line."""

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from itertools import accumulate

from outrider_bus.counters import Spread
from outrider_bus.groups import Group
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.utils import floatToGoString

_COUNTERS: dict[str, tuple[str, Callable[[Group], float]]] = {
    "skipped_records": ("Records of types the group does not hear.", lambda g: g.counters.skipped),
    "dead_letters": ("Records given up.", lambda g: g.counters.dead_letters),
    "retries": ("Tries of parked records.", lambda g: g.counters.retries),
    "removed_unread_offsets": (
        "Offsets that Kafka's retention removed before the group read them.",
        lambda g: g.counters.removed_unread,
    ),
    "rebalances": ("Assignments of partitions.", lambda g: g.counters.rebalances),
}
_GAUGES: dict[str, tuple[str, Callable[[Group], float]]] = {
    "lag_records": ("Records in Kafka behind the low watermark.", lambda g: _lag(g)[0]),
    "lag_seconds": ("How long ago the record was said that holds the low watermark.", lambda g: _lag(g)[1]),
    "watermark_age_seconds": (
        "For how long a low watermark has stood still over work in hand.",
        lambda g: g.subscription.assignment.watermark_age,
    ),
    "in_flight_records": ("Records read and not yet done.", lambda g: g.subscription.assignment.in_flight),
    "partitions": ("Partitions assigned to this process.", lambda g: len(g.subscription.assignment.partitions)),
    "assigned": ("1 where the group has told this process its share.", lambda g: g.subscription.is_assigned),
    "paused": ("1 while reading rests because enough is in hand.", lambda g: g.subscription.assignment.paused),
    "waiting": ("1 while an outside system is away.", lambda g: g.counters.is_waiting),
    "broken": ("1 where a worker broke: restart the service.", lambda g: bool(g.counters.broken)),
}


def of_groups(groups: Iterable[Group]) -> Iterator[Metric]:
    """Everything the bus counts, by group; counted since the process began."""
    groups = tuple(groups)
    for name, (meaning, read) in _COUNTERS.items():
        counter = CounterMetricFamily(f"outrider_bus_{name}", meaning, labels=["group"])
        for group in groups:
            counter.add_metric([group.name], read(group))
        yield counter
    for name, (meaning, read) in _GAUGES.items():
        gauge = GaugeMetricFamily(f"outrider_bus_{name}", meaning, labels=["group"])
        for group in groups:
            gauge.add_metric([group.name], float(read(group)))
        yield gauge
    batches = [group for group in groups if group.kind == "batches"]
    lanes = [group for group in groups if group.kind == "lanes"]
    yield _spread("batch_records", "Records of a batch.", ((g.name, g.counters.batch_records) for g in batches))
    yield _spread(
        "batch_seconds", "From its first record to its commit.", ((g.name, g.counters.seconds) for g in batches)
    )
    yield _spread("handling_seconds", "One try of a lane's record.", ((g.name, g.counters.seconds) for g in lanes))


def _spread(name: str, meaning: str, spreads: Iterable[tuple[str, Spread]]) -> Metric:
    histogram = HistogramMetricFamily(f"outrider_bus_{name}", meaning, labels=["group"])
    for group, spread in spreads:
        bounds = [*map(floatToGoString, spread.bounds), "+Inf"]
        histogram.add_metric([group], list(zip(bounds, accumulate(spread.counts), strict=True)), spread.total)
    return histogram


def _lag(group: Group) -> tuple[int, float]:
    lags = group.subscription.lag().values()
    oldest = min((lag.oldest for lag in lags if lag.oldest), default=None)
    seconds = (datetime.now(UTC) - oldest).total_seconds() if oldest else 0.0
    return sum(lag.records for lag in lags), max(0.0, seconds)
