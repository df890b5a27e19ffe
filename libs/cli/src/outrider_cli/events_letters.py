"""Dead letters as they lie in Kafka, with what people did with them as far as the services tell."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from outrider_contracts import topics as registry
from outrider_contracts.operations import LetterState, LetterStates
from outrider_local.names import SERVICES

from outrider_cli.connection import Connection, NotConnected
from outrider_cli.events_broker import UNSEEN, Broker
from outrider_cli.events_context import warn
from outrider_cli.events_records import Shown, as_json
from outrider_cli.events_services import ask_each
from outrider_cli.events_tail import read

_ID = re.compile(r"([a-z]+)/(\d+)/(\d+)", re.ASCII)
_OWN = "dlq-"


@dataclass(frozen=True)
class Letter:
    """One dead letter. `state` is None where nobody acted on it, or its service does not answer."""

    service: str
    record: Shown
    state: LetterState | None = None

    @property
    def id(self) -> str:
        """How commands call it."""
        return f"{self.service}/{self.record.partition}/{self.record.offset}"

    @property
    def is_open(self) -> bool:
        """Whether something is still to be done about it."""
        return self.state is None or self.state.state in ("trying", "failed")

    @property
    def origin(self) -> str:
        """Where the record lay that was given up."""
        return "/".join(self.said(f"origin-{part}") for part in ("topic", "partition", "offset"))

    @property
    def team(self) -> str:
        """The team the record concerns, as far as its topic or key tells."""
        return registry.team_concerned(self.said("origin-topic"), self.record.key) or ""

    def said(self, name: str) -> str:
        """A header the bus wrote when it gave the record up."""
        return self.record.header(f"{_OWN}{name}")

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        told = {name: self.said(name) for name in ("group", "stage", "reason", "attempts")}
        state = self.state.model_dump(mode="json") if self.state else None
        return {"id": self.id, "origin": self.origin, **told, "state": state, "record": as_json(self.record)}


@dataclass(frozen=True)
class Wanted:
    """Which letters: None is any."""

    services: tuple[str, ...] = ()
    team: str | None = None
    stage: str | None = None
    group: str | None = None
    since: datetime | None = None

    def takes(self, letter: Letter) -> bool:
        """Whether *letter* is one of them."""
        return (
            (self.team is None or letter.team == self.team)
            and (self.stage is None or letter.said("stage") == self.stage)
            and (self.group is None or letter.said("group") == self.group)
            and (self.since is None or letter.record.at >= self.since)
        )


def find(broker: Broker, connection: Connection, wanted: Wanted, *, settled: bool) -> list[Letter]:
    """The letters that are wanted, oldest first; with *settled* also those nothing is left to do about. Topics that
    Kafka does not show are named on stderr; NotConnected where it shows none."""
    there = broker.partitions()
    topics = [registry.dead_letters(service) for service in wanted.services or SERVICES]
    if hidden := [name for name in topics if name not in there]:
        unseen = f"{', '.join(hidden)}: not there, or {UNSEEN}"
        if len(hidden) == len(topics):
            raise NotConnected(unseen)
        warn(unseen)
    places = [(name, number) for name in topics for number in range(there.get(name, 0))]
    ends = broker.ends(places)
    starts = {place: low for place, (low, _) in ends.items()}
    if wanted.since:
        at = broker.offsets_at(places, int(wanted.since.timestamp() * 1000))
        starts = {place: at[place] if at[place] >= 0 else ends[place][1] for place in places}
    stop = {place: end for place, (_, end) in ends.items()}
    filled = sorted({service_of(topic) for (topic, _), low in starts.items() if low < stop[topic, _]})
    known = states(connection, filled)
    letters = []
    for record in read(broker, starts, stop):
        service = service_of(record.topic)
        letter = Letter(service, record, known.get((service, record.partition, record.offset)))
        if wanted.takes(letter) and (settled or letter.is_open):
            letters.append(letter)
    return sorted(letters, key=lambda one: (one.record.at, one.id))


def states(connection: Connection, services: Sequence[str]) -> dict[tuple[str, int, int], LetterState]:
    """What people did with letters. A service that is down is named on stderr; all of its letters count as open."""
    if not services:
        return {}
    try:
        answers = ask_each(connection, "/v1/bus/dead-letters/settled", LetterStates, services)
    except NotConnected as error:
        warn(f"{error}: which letters are settled can't be told, all are shown")
        return {}
    return {(service, one.partition, one.offset): one for service, told in answers.items() for one in told.letters}


def fetch(broker: Broker, id_: str) -> Letter:
    """One letter by its id. Raises NotConnected where there is none."""
    service, partition, offset = parse_id(id_)
    place = (registry.dead_letters(service), partition)
    if partition >= broker.partitions().get(place[0], 0):
        raise NotConnected(f"{place[0]} has no partition {partition}; see `outrider events dlq ls`")
    low, end = broker.ends([place])[place]
    if low <= offset < end:
        for record in read(broker, {place: offset}, {place: offset + 1}):
            return Letter(service, record)
    raise NotConnected(f"there is no dead letter {id_} (any more): {place[0]}/{partition} holds {low} to {end - 1}")


def parse_id(id_: str) -> tuple[str, int, int]:
    """`storage/0/123`: service, partition, offset. Raises NotConnected with the form."""
    match = _ID.fullmatch(id_)
    if match is None or match[1] not in SERVICES:
        services = ", ".join(SERVICES)
        raise NotConnected(f"{id_!r} is no dead letter's id: write service/partition/offset, services: {services}")
    return match[1], int(match[2]), int(match[3])


def service_of(topic: str) -> str:
    """Whose dead letters lie in *topic*."""
    return topic.rsplit(".", 1)[-1]
