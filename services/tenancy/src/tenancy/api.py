"""Tenancy over HTTP: tokens and their keys; teams as they stand; an operator's requests."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Annotated

from fastapi import Depends, FastAPI, Form
from fastapi.security import HTTPBasic, HTTPBasicCredentials
from outrider_bus.ports import UnavailableError
from outrider_chassis.callers import Caller, Role
from outrider_chassis.http import CurrentCaller, ProblemError, require
from outrider_contracts.tenants import AuditRecorded, TeamStatus

from tenancy.domain.acceptance import give_work
from tenancy.domain.status import describe
from tenancy.domain.teams import TeamRecord, Wanted
from tenancy.ports import Clients, Provisioner, ProvisioningFailed, Registry, Signer

_basic = HTTPBasic(auto_error=False, realm="outrider")
Basic = Annotated[HTTPBasicCredentials | None, Depends(_basic)]


@dataclass(frozen=True)
class Answers:
    """What the routes need."""

    registry: Registry
    clients: Clients
    signer: Signer
    provisioners: Sequence[Provisioner]

    async def token(self, credentials: HTTPBasicCredentials | None) -> str:
        """A token for a client that proves itself; a team's client only while the team is active."""
        client = None if credentials is None else await self.clients.find(credentials.username)
        if credentials is None or client is None or not client.proves_itself(credentials.password):
            raise ProblemError(
                401, "invalid_client", "unknown client or wrong secret", "send the client's id and secret"
            )
        if client.team is not None:
            async with self.registry.transaction() as ledger:
                record = await ledger.get(client.team)
            if record is None or not record.wanted.active:
                raise ProblemError(403, "team_suspended", f"team {client.team} is not active", "ask an operator")
        return self.signer.mint(credentials.username, client.role, client.team)

    async def teams(self, caller: Caller) -> list[TeamStatus]:
        """All teams the caller may see."""
        async with self.registry.transaction() as ledger:
            return [self._status(record) for record in await ledger.all() if caller.may_act_for(record.team)]

    async def team(self, team: str) -> TeamStatus:
        """One team as it stands."""
        return self._status(await self._record(team))

    async def reconcile(self, team: str, caller: Caller) -> None:
        """Have every provisioner look at the team at once."""
        now = datetime.now(UTC)
        audit = AuditRecorded(
            team=team, actor=caller.subject, action="team.reconcile", resource=f"team/{team}", because="http", at=now
        )
        await self._record(team)
        async with self.registry.transaction() as ledger:
            record = await ledger.get(team)
            if record is not None:
                await ledger.put(replace(give_work(record, now), resync_at=now), audit)

    async def plan(self, team: str) -> dict[str, list[str]]:
        """What each provisioner would do now; where one can't tell, why."""
        wanted = (await self._record(team)).wanted
        return {provisioner.name: await _planned(provisioner, wanted) for provisioner in self.provisioners}

    async def _record(self, team: str) -> TeamRecord:
        async with self.registry.transaction() as ledger:
            record = await ledger.get(team)
        if record is None:
            raise ProblemError(404, "unknown_team", f"no team {team!r} is known", "see GET /v1/teams")
        return record

    def _status(self, record: TeamRecord) -> TeamStatus:
        status = describe(record, [p.name for p in self.provisioners], datetime.now(UTC))
        return status.model_copy(update={"revision": max(1, record.revision)})


async def _planned(provisioner: Provisioner, wanted: Wanted) -> list[str]:
    try:
        return [str(change) for change in await provisioner.plan(wanted)]
    except (UnavailableError, ProvisioningFailed) as error:
        return [f"not known: {error}"]


def add_routes(app: FastAPI, answers: Answers) -> None:
    """Put the routes on *app*."""

    @app.post("/v1/token")
    async def token(credentials: Basic, grant_type: Annotated[str, Form()]) -> dict[str, str | int]:
        if grant_type != "client_credentials":
            fix = "send grant_type=client_credentials"
            raise ProblemError(400, "unsupported_grant_type", f"{grant_type!r} is not offered", fix)
        minted = await answers.token(credentials)
        return {"access_token": minted, "token_type": "Bearer", "expires_in": answers.signer.seconds}

    @app.get("/.well-known/jwks.json")
    async def jwks() -> dict[str, object]:
        return dict(await answers.signer.jwks())

    @app.get("/v1/teams")
    async def teams(caller: CurrentCaller) -> list[TeamStatus]:
        return await answers.teams(caller)

    @app.get("/v1/teams/{team}")
    async def team(team: str, caller: CurrentCaller) -> TeamStatus:
        require(caller, Role.viewer, team)
        return await answers.team(team)

    @app.post("/v1/teams/{team}/reconcile", status_code=202)
    async def reconcile(team: str, caller: CurrentCaller) -> dict[str, str]:
        require(caller, Role.operator, team)
        await answers.reconcile(team, caller)
        return {"team": team, "reconcile": "due now"}

    @app.post("/v1/teams/{team}/plan")
    async def plan(team: str, caller: CurrentCaller) -> dict[str, list[str]]:
        require(caller, Role.viewer, team)
        return await answers.plan(team)
