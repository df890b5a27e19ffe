"""`/v1/bus/groups` and `/v1/bus/replays` of every service: who hears what, and hearing it once more."""

from collections.abc import Awaitable
from typing import TypeVar

from fastapi import APIRouter
from outrider_bus.bus import Bus
from outrider_bus.groups import Group
from outrider_bus.replay.sieve import ReplayRefused
from outrider_contracts.replays import Groups, GroupView, Replay, ReplayPlan, ReplayRequest, Replays

from outrider_chassis.http import CurrentCaller, ProblemError, Role, require

_STATUS = {"unknown_group": 404, "unknown_replay": 404, "another_plan": 409, "not_now": 409, "never_again": 409}
T = TypeVar("T")


def replay_routes(bus: Bus, service: str) -> APIRouter:
    """A viewer of the platform may look and plan, an operator may act."""
    routes = APIRouter(prefix="/v1/bus", tags=["bus"])

    @routes.get("/groups")
    async def groups(caller: CurrentCaller) -> Groups:
        require(caller, Role.viewer)
        return Groups(groups=tuple(_view(group, service) for group in bus.groups.values()))

    @routes.post("/replays", status_code=201, responses={200: {"model": ReplayPlan}})
    async def order(request: ReplayRequest, caller: CurrentCaller) -> ReplayPlan | Replay:
        if request.plan_only:
            require(caller, Role.viewer)
            return await _told(bus.replays.plan(request))
        require(caller, Role.operator)
        return await _told(bus.replays.order(request, actor=caller.subject))

    @routes.get("/replays")
    async def replays(caller: CurrentCaller) -> Replays:
        require(caller, Role.viewer)
        return Replays(replays=tuple(await bus.replays.jobs()))

    @routes.get("/replays/{id}")
    async def replay(id: str, caller: CurrentCaller) -> Replay:
        require(caller, Role.viewer)
        return await _told(bus.replays.get(id))

    @routes.post("/replays/{id}/cancel")
    async def cancel(id: str, caller: CurrentCaller) -> Replay:
        require(caller, Role.operator)
        return await _told(bus.replays.cancel(id, actor=caller.subject))

    @routes.post("/replays/{id}/resume")
    async def resume(id: str, caller: CurrentCaller) -> Replay:
        require(caller, Role.operator)
        return await _told(bus.replays.resume(id, actor=caller.subject))

    return routes


async def _told(answer: Awaitable[T]) -> T:
    try:
        return await answer
    except ReplayRefused as refusal:
        raise ProblemError(_STATUS.get(refusal.code, 422), refusal.code, str(refusal), refusal.fix) from None


def _view(group: Group, service: str) -> GroupView:
    now = group.subscription
    return GroupView(
        name=group.name, service=service, kind=group.kind, topics=group.topics, pattern=group.pattern,
        types=tuple(sorted(kind.type or kind.__name__ for kind in group.types)),
        never_again={kind.type or kind.__name__: why for kind, why in group.never_again.items()},
        assigned=now.is_assigned, partitions=len(now.assignment.partitions), in_flight=now.assignment.in_flight,
        waiting=group.counters.is_waiting,
    )  # fmt: skip
