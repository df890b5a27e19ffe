"""Who may look at what: the rights that the user has in Airflow, asked of Airflow's auth manager at each request."""

from dataclasses import dataclass
from typing import Annotated

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.core_api.security import GetUserDep, requires_access_dag
from airflow.configuration import conf
from airflow.models.dag import DagModel
from airflow.models.team import Team
from airflow.utils.session import create_session
from fastapi import Depends, HTTPException, params

from outrider_airflow import whose


@dataclass(frozen=True)
class Look:
    """A user who may read the DAG looks at it. `seen_by` is the team whose eyes are used; None: the whole platform's.

    A user of some teams sees what the DAG's own team sees: others' names are masked by the services. Only who has
    every team's rights in Airflow sees all.
    """

    team: str
    dag_id: str
    seen_by: str | None


def look(dag_id: str, user: GetUserDep) -> Look:
    """The DAG of the request, with its team. Answers 404 for `~`, which Airflow takes as every DAG, and for no DAG."""
    with create_session() as session:
        dag = session.get(DagModel, dag_id) if dag_id not in ("", "~") else None
        if dag is None:
            raise HTTPException(404, f"there is no DAG {dag_id!r}")
        binding = whose.of_dag_row(dag, DagModel.get_team_name(dag_id, session=session))
    if binding is None:
        raise HTTPException(404, f"DAG {dag_id!r} belongs to no team, so Outrider knows nothing of it")
    return Look(binding.team, dag_id, None if _sees_all(user) else binding.team)


def _sees_all(user: GetUserDep) -> bool:
    if not conf.getboolean("core", "multi_team", fallback=False):
        return False
    with create_session() as session:
        every = set(Team.get_all_team_names(session=session))
        return bool(every) and get_auth_manager().get_authorized_teams(user=user, session=session) >= every


Looking = Annotated[Look, Depends(look)]


def demanded() -> list[params.Depends]:
    """What every route asks for, before anything else: the right to read the DAG's runs and tasks, and a real DAG."""
    entities = (DagAccessEntity.RUN, DagAccessEntity.TASK_INSTANCE)
    return [*(Depends(requires_access_dag("GET", entity)) for entity in entities), Depends(look)]
