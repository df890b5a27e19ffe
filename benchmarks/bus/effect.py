"""BatchTx beside a loop written by hand that has the same effect, and beside clients that only read.

The effect: one transaction per batch with the inbox row of each record and a set-based upsert of the state it tells
of; with answers, each record is answered by a fact through the outbox and the relay in the same process. Reading alone
is what raw clients and FastStream as documented do with the same records, with no effect at all.
"""

from benchmarks.bus import workload
from benchmarks.bus.effort import Effort
from benchmarks.bus.findings import Aim, Row, Section, medians
from benchmarks.bus.stand import Stand

_RECORDS = 100_000
_OURS, _BY_HAND = "BatchTx", "aiokafka + asyncpg by hand"
# contender -> (function, share of the records: who is slow reads fewer)
_CONTENDERS: dict[str, tuple[str, float, dict[str, bool]]] = {
    _OURS: ("ours:batches", 0.6, {"answers": False}),
    _BY_HAND: ("by_hand:loop", 0.6, {"answers": False}),
    f"{_OURS}, answers": ("ours:batches", 0.3, {"answers": True}),
    f"{_BY_HAND}, answers": ("by_hand:loop", 0.3, {"answers": True}),
    "only reading: aiokafka getmany": ("readers:raw_aiokafka", 1, {}),
    "only reading: confluent-kafka consume": ("readers:raw_confluent", 1, {}),
    "only reading: FastStream batch": ("readers:faststream_batch", 0.5, {}),
    "only reading: FastStream single": ("readers:faststream_single", 0.1, {}),
}


def measure(stand: Stand, effort: Effort) -> Section:
    """Run every contender in turn, in as many rounds as asked for."""
    count = effort.of(_RECORDS)
    topic = stand.make_topic("facts")
    stand.make_topics({workload.RunNoted.topic: 6})
    stand.fill(topic, workload.records(count))
    rounds: dict[str, list[dict[str, float]]] = {name: [] for name in _CONTENDERS}
    for number in range(effort.rounds):
        for name, (function, share, parameters) in _CONTENDERS.items():
            figures = stand.run(f"benchmarks.bus.{function}", topic=topic, count=int(count * share), **parameters)
            effort.say(f"  {number + 1}/{effort.rounds} {name}: {figures['records/s']:,.0f} records/s")
            rounds[name].append(figures)
    seen = {name: medians(figures) for name, figures in rounds.items()}
    aims = [Aim("BatchTx with its transaction, records/s", seen[_OURS]["records/s"], 10_000)]
    for answers in ("", ", answers"):
        pairs = zip(rounds[_OURS + answers], rounds[_BY_HAND + answers], strict=True)
        ratio = medians([{"ratio": ours["records/s"] / by_hand["records/s"]} for ours, by_hand in pairs])["ratio"]
        aims.append(Aim(f"BatchTx ÷ by hand{answers}, by records/s", ratio, 0.8))
    return Section(
        f"effect: {count:,} records, 6 partitions, batches of 500", [Row(*item) for item in seen.items()], aims
    )
