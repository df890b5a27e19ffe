"""What an undisturbed run of the same log leaves and says, computed from the log alone."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field

from outrider_bus.ports import Heard
from outrider_bus.records import RawRecord, cloud_event
from outrider_contracts.airflow import RunFinished
from outrider_contracts.envelope import UndecodableError, encode
from outrider_contracts.event import Event

from tests.faults.workload import HOPELESS, REFUSED
from tests.unit.bus.promises import answer


@dataclass
class Outcome:
    """Tables and what was said, as a set of (id, content); dead letters by where they lay."""

    chains: dict[str, tuple[int, str]] = field(default_factory=dict)
    said: set[tuple[str, bytes | None]] = field(default_factory=set)
    dead: set[tuple[str, bytes | None]] = field(default_factory=set)
    order: dict[str, list[str]] = field(default_factory=dict)
    """Ids of what was said, in order per key of the fact that it answers (of a real run: in the order of the log)."""

    def in_order_of(self, other: "Outcome") -> dict[str, list[str]]:
        """What was said, sorted into the keys that *other* knows."""
        keys = {said: key for key, ids in other.order.items() for said in ids}
        sorted_in: dict[str, list[str]] = {}
        for said in self.order.get("", []):
            sorted_in.setdefault(keys.get(said, ""), []).append(said)
        return sorted_in


def undisturbed(log: Iterable[RawRecord]) -> Outcome:
    """Work the log off by the words of the promise: each id once, in order per key."""
    outcome, known = Outcome(), set[str]()
    for record in log:
        try:
            decoded = cloud_event(record)
        except UndecodableError:
            outcome.dead.add((str(record.origin), record.value))
            continue
        assert decoded
        envelope, fact = decoded
        assert isinstance(fact, RunFinished)
        if envelope.id in known:
            continue
        known.add(envelope.id)
        if fact.clear_number == HOPELESS:
            outcome.dead.add((str(record.origin), record.value))
            continue
        said = answer(Heard[Event](fact, envelope, record.origin))
        outcome.said.add((said.id, encode(said, source="/test").value))
        outcome.order.setdefault(fact.key(), []).append(said.id)
        if fact.clear_number != REFUSED:
            links, so_far = outcome.chains.get(fact.key(), (0, ""))
            link = hashlib.md5((so_far + fact.id).encode(), usedforsecurity=False).hexdigest()
            outcome.chains[fact.key()] = links + 1, link
    return outcome
