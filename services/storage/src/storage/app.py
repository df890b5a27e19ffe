"""Wires the service: resources, adapters, routes, what it hears, what runs beside it."""

from contextlib import AsyncExitStack
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import aioboto3
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from outrider_chassis.airflow import AirflowApi
from outrider_chassis.http import admit
from outrider_chassis.service import Resources
from outrider_chassis.teams import TeamsProjection
from outrider_contracts.airflow import AirflowEvent
from outrider_contracts.http import StoreAddress
from outrider_contracts.tenants import Backend

from storage import api
from storage.adapters.directory import DirectoryStore
from storage.adapters.rest_airflow import RestAirflow
from storage.adapters.s3 import config, s3_store
from storage.adapters.sts import NoCredentials, StsIssuer
from storage.adapters.teams_store import TeamsIssuer, TeamsStore
from storage.cases.begin import begin
from storage.cases.carry import UnknownToken
from storage.cases.work import Work
from storage.domain.refusals import Refused, Waiting
from storage.handlers import NEVER_AGAIN, handlers, lane
from storage.ports import CredentialIssuer, Store, Teams
from storage.settings import Settings
from storage.timers import keep_clearing, keep_tidy

MIGRATIONS = Path(__file__).parent / "migrations"
GROUP = "storage"


async def wire(resources: Resources[Settings]) -> None:
    """Put the service together on *resources*."""
    settings, stack = resources.settings, resources.stack
    airflow = await stack.enter_async_context(
        AirflowApi(settings.airflow_url, settings.airflow_username, settings.airflow_password_file)
    )
    teams = TeamsProjection(resources.pool)
    teams.listen(resources.bus, f"{GROUP}.teams")
    store, issuer = await _backends(settings, stack, teams)
    work = Work(
        database=resources.bus.database, store=store, issuer=issuer, airflow=RestAirflow(airflow), teams=teams,
        terms=settings.terms, clock=lambda: datetime.now(UTC), pods=settings.pods,
    )  # fmt: skip
    await begin(work)
    resources.bus.lanes(
        group=GROUP, topics=(AirflowEvent.topic,), handlers=handlers(work), lane=lane,
        never_again=NEVER_AGAIN,
    )  # fmt: skip
    admit(resources.app, teams.admits)
    add_routes(resources.app, work)
    resources.background += [
        partial(keep_tidy, work, settings.tidy_interval_seconds),
        partial(keep_clearing, work, settings.clearing_interval_seconds),
    ]


def add_routes(app: FastAPI, work: Work) -> None:
    """The routes, and how a no and a not-yet are spelt."""
    app.include_router(api.routes(work))

    @app.exception_handler(Refused)
    async def refused(_: Request, refusal: Refused) -> JSONResponse:
        return api.refused(refusal)

    @app.exception_handler(UnknownToken)
    async def unknown_token(_: Request, __: UnknownToken) -> JSONResponse:
        return api.unknown_token()

    @app.exception_handler(Waiting)
    async def waiting(_: Request, wait: Waiting) -> JSONResponse:
        return api.waiting(wait)


async def _backends(settings: Settings, stack: AsyncExitStack, teams: Teams) -> tuple[Store, CredentialIssuer]:
    """All that the settings name, each team's requests led to its own."""
    stores: dict[Backend, Store] = {}
    issuers: dict[Backend, CredentialIssuer] = {}
    if settings.s3_bucket:
        stores["s3"], issuers["s3"] = await _s3(settings, stack)
    if settings.volume_root is not None:
        if not settings.volume_root.is_dir():  # made here, it would be a directory of this machine's own disk
            raise ValueError(f"STORAGE_VOLUME_ROOT {settings.volume_root} is not there: mount the shared volume first")
        stores["directory"], issuers["directory"] = DirectoryStore(settings.volume_root), NoCredentials()
    if not stores:
        raise ValueError("STORAGE_S3_BUCKET or STORAGE_VOLUME_ROOT is needed: teams' data has to lie somewhere")
    return TeamsStore(stores, teams), TeamsIssuer(issuers, teams)


async def _s3(settings: Settings, stack: AsyncExitStack) -> tuple[Store, CredentialIssuer]:
    if "{team}" not in settings.team_role_arn:
        raise ValueError("STORAGE_TEAM_ROLE_ARN, with {team} in it, is needed for S3")
    address = StoreAddress(
        kind="s3", bucket=settings.s3_bucket, endpoint_url=settings.s3_endpoint_url, region=settings.s3_region
    )
    session = aioboto3.Session()
    store = await stack.enter_async_context(s3_store(session, address))
    sts = await stack.enter_async_context(
        session.client("sts", endpoint_url=address.endpoint_url, region_name=address.region, config=config())
    )
    role, seconds = settings.team_role_arn, settings.credential_seconds
    return store, StsIssuer(sts, role_arn=role, bucket=address.bucket, seconds=seconds)
