"""What operators ask a service about its bus (`/v1/bus`), and what it answers: parked lanes, outbox, dead letters."""

from typing import Annotated, Literal

from pydantic import Field

from outrider_contracts.model import Instant, Model

Reason = Annotated[str, Field(max_length=500, pattern=r"^[^\x00]*$", description="why; it is shown and audited")]
Row = Annotated[int, Field(ge=0, lt=1 << 63)]


class LaneName(Model):
    """A lane of a consumer group."""

    group: str
    lane: str


class ParkedLane(LaneName):
    """A sick lane: the record it stumbles over, and how many are queued behind that."""

    record: str = Field(description="topic/partition/offset of the first record")
    team: str
    key: str
    attempts: int
    next_try_at: Instant
    parked_at: Instant
    reason: str
    behind: int


class Parked(Model):
    """Answer of `GET /v1/bus/parked`, the longest parked first."""

    lanes: tuple[ParkedLane, ...] = ()


class ParkedRequest(Model):
    """Lanes to act on."""

    lanes: tuple[LaneName, ...] = Field(max_length=1000)
    reason: Reason = ""


class LaneOutcome(LaneName):
    """What became of one lane: `done`, `well` (nothing of it is parked), `handled` (its runner was first)."""

    outcome: Literal["done", "well", "handled"]
    record: str = ""


class LaneOutcomes(Model):
    """Answer of `POST /v1/bus/parked/retry` and `/give-up`."""

    lanes: tuple[LaneOutcome, ...]


class Waiting(Model):
    """Rows of one topic on their way to Kafka."""

    topic: str
    rows: int
    seconds: float = Field(description="age of the oldest")


class StuckRow(Model):
    """A row that Kafka will not take as it is; it holds nobody up."""

    row: int
    topic: str
    id: str
    team: str
    bytes: int | None
    said_at: Instant
    why: str


class Outbox(Model):
    """Answer of `GET /v1/bus/outbox`."""

    waiting: tuple[Waiting, ...] = ()
    stuck: tuple[StuckRow, ...] = ()


class StuckRequest(Model):
    """Stuck rows to carry once more, or to discard."""

    rows: tuple[Row, ...] = Field(max_length=1000)
    reason: Reason = ""


class Released(Model):
    """How many rows were there and were released or discarded."""

    rows: int


class LetterName(Model):
    """A dead letter by its place in the service's topic of dead letters."""

    partition: int = Field(ge=0)
    offset: int = Field(ge=0)


class LetterState(LetterName):
    """What people did with one letter. `trying` and `failed` are open still."""

    state: Literal["trying", "failed", "redriven", "discarded"]
    outcome: str = ""
    redrives: int
    actor: str
    reason: str
    changed_at: Instant


class LetterStates(Model):
    """Answer of `GET /v1/bus/dead-letters/settled`: every letter somebody has acted on."""

    letters: tuple[LetterState, ...] = ()


class DiscardRequest(Model):
    """Put letters away for good."""

    letters: tuple[LetterName, ...] = Field(min_length=1, max_length=100)
    reason: Reason = Field(min_length=1)


class RedriveRequest(DiscardRequest):
    """Handle letters again, one after the other; with `plan_only` say what would come of it.

    `first_delivery`, for one letter at a time, also handles a type that is never handled again (it may end in a
    deletion or change a tenant): as if Kafka gave the record for the first time. `force`: however often it has failed.
    """

    plan_only: bool = False
    first_delivery: bool = False
    force: bool = False


class LetterOutcome(LetterName):
    """What became (or, in a plan, would become) of one letter: `done`, `known` (handled before, by another telling),
    `skipped` (a type the group does not hear), `refused`, `left_out` (never handled again), `failed`."""

    outcome: Literal["done", "known", "skipped", "refused", "left_out", "failed"]
    reason: str = ""


class LetterOutcomes(Model):
    """Answer of `POST /v1/bus/dead-letters/redrive` and `/discard`."""

    letters: tuple[LetterOutcome, ...]
