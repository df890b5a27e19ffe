"""What the sweep tells over HTTP: how far it has read and what it left out."""

from datetime import UTC, datetime

from fastapi import APIRouter
from outrider_chassis.http import CurrentCaller, Role, require
from pydantic import BaseModel

from sweep.cases import Sweep
from sweep.ports import Bookmarks


class Progress(BaseModel):
    """Seconds that each pass lies behind the clock, and what was counted since the service started."""

    behind_seconds: dict[str, float]
    counts: dict[str, int]


def routes(sweep: Sweep, bookmarks: Bookmarks) -> APIRouter:
    """The routes, over one sweep."""
    router = APIRouter(prefix="/v1")

    @router.get("/progress")
    async def progress(caller: CurrentCaller) -> Progress:
        require(caller, Role.viewer)
        now = datetime.now(UTC)
        behind = {
            "runs": (now - (await bookmarks.at("runs")).since).total_seconds(),
            "tasks": (now - (await bookmarks.at("tasks")).since).total_seconds(),
        }
        return Progress(behind_seconds=behind, counts=dict(sweep.counts))

    return router
