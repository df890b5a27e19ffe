"""`/v1/bus/parked`, `/outbox` and `/dead-letters` of every service: what its operators see and do by hand."""

from collections.abc import Mapping

from fastapi import APIRouter
from outrider_bus.bus import Bus
from outrider_bus.handling.again import Outcome
from outrider_bus.handling.parking import SickLane
from outrider_bus.operators.letters import Place
from outrider_bus.operators.operations import Act, team_of
from outrider_contracts.operations import (
    DiscardRequest,
    LaneOutcome,
    LaneOutcomes,
    LetterOutcome,
    LetterOutcomes,
    LetterState,
    LetterStates,
    Outbox,
    Parked,
    ParkedLane,
    ParkedRequest,
    RedriveRequest,
    Released,
    StuckRequest,
    StuckRow,
    Waiting,
)

from outrider_chassis.http import Caller, CurrentCaller, ProblemError, Role, require


def parked_routes(bus: Bus) -> APIRouter:
    """Sick lanes and stuck rows. A viewer of the platform may look, an operator may act."""
    routes = APIRouter(prefix="/v1/bus", tags=["bus"])

    @routes.get("/parked")
    async def parked(caller: CurrentCaller) -> Parked:
        require(caller, Role.viewer)
        return Parked(lanes=tuple(_lane(one) for one in await bus.operations.sick()))

    @routes.post("/parked/retry")
    async def retry(request: ParkedRequest, caller: CurrentCaller) -> LaneOutcomes:
        require(caller, Role.operator)
        sick = await _sick(bus)
        chosen = [sick[one.group, one.lane] for one in request.lanes if (one.group, one.lane) in sick]
        await bus.operations.retry(chosen, _act(caller, request.reason))
        done = {(one.group, one.lane): LaneOutcome(group=one.group, lane=one.lane, outcome="done") for one in chosen}
        well = (LaneOutcome(group=one.group, lane=one.lane, outcome="well") for one in request.lanes)
        return LaneOutcomes(lanes=tuple(done.get((one.group, one.lane), one) for one in well))

    @routes.post("/parked/give-up")
    async def give_up(request: ParkedRequest, caller: CurrentCaller) -> LaneOutcomes:
        require(caller, Role.operator)
        sick, outcomes = await _sick(bus), []
        for name in request.lanes:
            one, said = sick.get((name.group, name.lane)), LaneOutcome(**name.model_dump(), outcome="well")
            if one is not None:
                given_up = await bus.operations.give_up(one, _act(caller, request.reason))
                update = {"outcome": "done" if given_up else "handled", "record": one.origin}
                said = said.model_copy(update=update)
            outcomes.append(said)
        return LaneOutcomes(lanes=tuple(outcomes))

    @routes.get("/outbox")
    async def outbox(caller: CurrentCaller) -> Outbox:
        require(caller, Role.viewer)
        waiting = [Waiting(topic=t, rows=n, seconds=s) for t, n, s in await bus.operations.waiting()]
        stuck = [
            StuckRow(
                row=one.seq, topic=one.topic, id=one.id, team=team_of(one.topic, one.key), bytes=one.bytes,
                said_at=one.said_at, why=one.why,
            )
            for one in await bus.operations.stuck()
        ]  # fmt: skip
        return Outbox(waiting=tuple(waiting), stuck=tuple(stuck))

    @routes.post("/outbox/retry")
    async def carry(request: StuckRequest, caller: CurrentCaller) -> Released:
        return await release(request, caller, discard=False)

    @routes.post("/outbox/discard")
    async def discard(request: StuckRequest, caller: CurrentCaller) -> Released:
        return await release(request, caller, discard=True)

    async def release(request: StuckRequest, caller: Caller, *, discard: bool) -> Released:
        require(caller, Role.operator)
        act = _act(caller, request.reason)
        return Released(rows=await bus.operations.release(request.rows, act, discard=discard))

    return routes


def letter_routes(bus: Bus) -> APIRouter:
    """Dead letters of this service: what was done with them, and doing it."""
    routes = APIRouter(prefix="/v1/bus/dead-letters", tags=["bus"])

    @routes.get("/settled")
    async def settled(caller: CurrentCaller) -> LetterStates:
        require(caller, Role.viewer)
        found = [LetterState.model_validate(one, from_attributes=True) for one in await bus.dead_letters.settled()]
        return LetterStates(letters=tuple(found))

    @routes.post("/redrive")
    async def redrive(request: RedriveRequest, caller: CurrentCaller) -> LetterOutcomes:
        require(caller, Role.operator)
        if request.first_delivery and len(request.letters) > 1:
            message = "first_delivery is for one letter at a time: a person has to mean this very record"
            raise ProblemError(422, "invalid_request", message, "name one letter, or leave first_delivery out")
        places, first = _places(request), request.first_delivery
        if request.plan_only:
            outcomes = await bus.dead_letters.plan(places, first=first)
        else:
            act = _act(caller, request.reason)
            outcomes = await bus.dead_letters.redrive(places, act, first=first, force=request.force)
        return _outcomes(outcomes)

    @routes.post("/discard")
    async def discard(request: DiscardRequest, caller: CurrentCaller) -> LetterOutcomes:
        require(caller, Role.operator)
        return _outcomes(await bus.dead_letters.discard(_places(request), _act(caller, request.reason)))

    return routes


def _act(caller: Caller, reason: str) -> Act:
    return Act(caller.subject, reason)


async def _sick(bus: Bus) -> dict[tuple[str, str], SickLane]:
    return {(one.group, one.lane): one for one in await bus.operations.sick()}


def _lane(one: SickLane) -> ParkedLane:
    topic = one.origin.rsplit("/", 2)[0]
    return ParkedLane(
        group=one.group, lane=one.lane, record=one.origin, team=team_of(topic, one.key),
        key=(one.key or b"").decode(errors="backslashreplace"), attempts=one.attempts, next_try_at=one.next_try_at,
        parked_at=one.parked_at, reason=one.reason, behind=one.behind,
    )  # fmt: skip


def _places(request: DiscardRequest) -> list[Place]:
    return [(one.partition, one.offset) for one in request.letters]


def _outcomes(found: Mapping[Place, Outcome]) -> LetterOutcomes:
    return LetterOutcomes(
        letters=tuple(
            LetterOutcome(partition=partition, offset=offset, outcome=one.kind, reason=one.reason)
            for (partition, offset), one in found.items()
        )
    )
