"""What a try's environment means for its pod: the plan, and the files of its Secret."""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from airflow.sdk import BaseHook, Connection
from outrider_contracts.declarations import SourceDeclaration, TaskDeclaration
from outrider_contracts.http import Environment, EnvironmentDocument, EnvironmentToken
from outrider_contracts.names import DerivedNames
from outrider_stage import Layout
from outrider_stage.credential_server import credentials_uri
from outrider_stage.instructions import CREDENTIALS_TOKEN_FILE, DOCUMENT_FILE, TOKEN_FILE

from outrider_airflow.attempt import Attempt
from outrider_airflow.errors import EnvironmentRefused
from outrider_airflow.job_environment import document, store_variables, variables
from outrider_airflow.pod.plan import CONNECTIONS, CREDENTIALS_PORT, ROOT, PodPlan
from outrider_airflow.settings import Settings
from outrider_airflow.sources import spelled

LAYOUT = Layout(Path(ROOT))


@dataclass(frozen=True)
class Given:
    """What is put into the pod, and what only its Secret holds."""

    plan: PodPlan
    files: Mapping[str, str] = field(repr=False)


def given(
    environment: Environment,
    token: EnvironmentToken,
    attempt: Attempt,
    declared: TaskDeclaration,
    *,
    params: Mapping[str, Any],
    storage_url: str,
    upload_seconds: int,
    workspace: str | None,
    site: Settings,
    find: Callable[[str], Connection] = BaseHook.get_connection,
) -> Given:
    """Work it out. Raises EnvironmentRefused where no pod could get at its data."""
    if not site.stager_image:
        raise EnvironmentRefused("nothing can carry data into pods. Fix: set [outrider] stager_image in airflow.cfg")
    connections = {
        f"{kind}/{name}.json": spelled(find(source.connection))
        for kind, sources in (("sources", declared.sources), ("destinations", declared.destinations))
        for name, source in sources.items()
    }
    told = _document(environment.model_copy(update={"store": token.store}), attempt, declared, params)
    plan = plan_of(
        told, declared, environment.run_started_at.isoformat(), storage_url=token.url or storage_url,
        upload_seconds=upload_seconds, workspace=workspace, site=site, store=store_variables(token.store),
        on_volume=token.store.kind == "directory",
    )  # fmt: skip
    own = {TOKEN_FILE: token.token, DOCUMENT_FILE: told.model_dump_json(indent=2)}
    if plan.serves_credentials:
        own[CREDENTIALS_TOKEN_FILE] = secrets.token_urlsafe(32)
    return Given(plan, {**own, **connections})


def plan_of(
    told: EnvironmentDocument,
    declared: TaskDeclaration,
    run_started_at: str,
    *,
    storage_url: str,
    upload_seconds: int,
    workspace: str | None,
    site: Settings,
    store: Mapping[str, str],
    on_volume: bool,
) -> PodPlan:
    """The plan for a job that is told *told*. *on_volume*: the team's data lies on the shared volume."""
    access = {**store, "AWS_CONTAINER_CREDENTIALS_FULL_URI": credentials_uri(CREDENTIALS_PORT)}
    return PodPlan(
        mode=told.mode,
        try_number=told.try_number,
        run_started_at=run_started_at,
        variables={**(access if told.mode == "uris" else {}), **variables(told, LAYOUT, LAYOUT.root / DOCUMENT_FILE)},
        stores=told.mode == "files" and bool(told.outputs),
        storage_url=storage_url,
        stager_image=site.stager_image,
        stager_pull_policy=site.stager_pull_policy,
        stager_resources=site.stager_resources,
        upload_seconds=upload_seconds,
        unix_id=DerivedNames(told.team).unix_id,
        volume_of=told.team if on_volume and (told.inputs or told.outputs) else "",
        workspace=workspace,
        connections=(
            *(f"sources/{name}.json" for name in declared.sources),
            *(f"destinations/{name}.json" for name in declared.destinations),
        ),
    )


def _document(
    environment: Environment, attempt: Attempt, declared: TaskDeclaration, params: Mapping[str, Any]
) -> EnvironmentDocument:
    return document(
        environment,
        LAYOUT,
        logical_date=attempt.logical_date,
        params=params,
        sources=_mounted("sources", declared.sources),
        destinations=_mounted("destinations", declared.destinations),
    )


def _mounted(kind: str, declared: Mapping[str, SourceDeclaration]) -> dict[str, Path]:
    return {name: Path(CONNECTIONS / kind / f"{name}.json") for name in declared}
