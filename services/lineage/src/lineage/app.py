"""Puts lineage together: the only place that knows all of it."""

import asyncio
from datetime import timedelta
from importlib.metadata import version
from pathlib import Path

from outrider_chassis.http import admit
from outrider_chassis.service import Resources
from outrider_chassis.teams import TeamsProjection
from outrider_contracts.topics import TEAM_INBOXES

from lineage.adapters.inbox import InboxDecoder
from lineage.adapters.postgres_graph import PostgresGraph
from lineage.adapters.postgres_history import PostgresHistory
from lineage.adapters.postgres_readers import PostgresReaders
from lineage.adapters.postgres_record import PostgresRecord
from lineage.api import Asking, graph_routes, page_routes, run_routes
from lineage.domain.names import Names
from lineage.domain.openlineage import Speaker
from lineage.domain.reports import Reported
from lineage.handlers import HEARS, TOPICS, Recorder
from lineage.settings import Settings

MIGRATIONS = Path(__file__).parent / "migrations"


async def wire(resources: Resources[Settings]) -> None:
    """Say who hears what, and answer over HTTP."""
    settings, bus, app = resources.settings, resources.bus, resources.app
    names = Names(settings.deployment.rstrip("/"))
    teams = TeamsProjection(resources.pool)
    speaker = Speaker(names, settings.airflow_version, version("outrider-lineage"))
    recorder = Recorder(
        speaker, teams, lambda tx: PostgresRecord(tx.connection), timedelta(seconds=settings.settle_seconds)
    )

    teams.listen(bus, "lineage-teams")
    bus.batches(group="lineage", topics=TOPICS, types=HEARS, handler=recorder.keep)
    bus.batches(
        group="lineage-inbox", pattern=TEAM_INBOXES, types=(Reported,), handler=recorder.keep_reports,
        decode=InboxDecoder(names),
    )  # fmt: skip

    async def settle_ends() -> None:
        while True:
            async with bus.database.begin() as tx:
                looked_at = await recorder.settle(tx)
            if not looked_at:
                await asyncio.sleep(settings.settle_interval_seconds)

    resources.background.append(settle_ends)

    asking = Asking(
        names, PostgresGraph(resources.pool), PostgresHistory(resources.pool), teams, PostgresReaders(resources.pool)
    )
    admit(app, teams.admits)
    for routes in (graph_routes(asking), run_routes(asking), page_routes()):
        app.include_router(routes)
