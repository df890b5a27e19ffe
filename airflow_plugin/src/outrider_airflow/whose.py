"""Gathers from Airflow's objects what `team.resolve` asks for. In a multi-team scheduler it costs no query."""

from pathlib import Path

from outrider_airflow import bundles
from outrider_airflow.reach import reach, reach_loaded
from outrider_airflow.settings import Settings, settings
from outrider_airflow.team import Binding, Evidence, Rules, resolve


def rules(site: Settings) -> Rules:
    """The rules of this site."""
    return Rules(site.bundle_teams, site.path_rule, site.tag_binds, site.default_team)


def of_run(dag_run: object) -> Binding | None:
    """Whose run it is; *dag_run* is the scheduler's or the API server's row.

    A multi-team scheduler has put the team on the row; elsewhere the DAG's row is asked for.
    """
    team = reach(dag_run, "_team_name")
    return _answer(
        airflow_team=team,
        bundle=(reach_loaded if team else reach)(dag_run, "dag_model.bundle_name"),
        path=reach(dag_run, "dag.fileloc") or (None if team else reach(dag_run, "dag_model.fileloc")),
        tags=reach(dag_run, "dag.tags") or (),
    )


def of_task(task_instance: object) -> Binding | None:
    """Whose task instance it is; it is the one of a task process, or the row of the scheduler or API server."""
    return _answer(
        airflow_team=reach(task_instance, "_ti_context_from_server.dag_run.team_name")
        or reach(task_instance, "_team_name"),
        bundle=reach(task_instance, "bundle_instance.name") or reach(task_instance, "dag_model.bundle_name"),
        path=reach(task_instance, "task.dag.fileloc") or reach(task_instance, "dag_model.fileloc"),
        tags=reach(task_instance, "task.dag.tags") or (),
    )


def of_dag(dag_id: str) -> Binding | None:
    """Whose DAG has that id. Asks Airflow's database, so for the API server alone; Airflow remembers teams a while."""
    from airflow.models.dag import DagModel

    if team := DagModel.get_team_name(dag_id):
        return _answer(airflow_team=team, bundle=None, path=None, tags=())
    model = DagModel.get_dagmodel(dag_id)
    return _answer(airflow_team=None, bundle=reach(model, "bundle_name"), path=reach(model, "fileloc"), tags=())


def of_file(path: str, tags: object) -> Evidence:
    """What is known of a DAG at parse time: its file, and by it the bundle."""
    site = settings()
    bundle = bundles.bundle_of(Path(path), site.bundles_file)
    team = bundles.teams_by_bundle(site.bundles_file).get(bundle, "")
    return Evidence(airflow_team=team, bundle=bundle, path=path, tags=_names(tags))


def _answer(*, airflow_team: object, bundle: object, path: object, tags: object) -> Binding | None:
    site = settings()
    name, team = str(bundle or ""), str(airflow_team or "")
    if path and not (name or team):
        name = bundles.bundle_of(Path(str(path)), site.bundles_file)
    if name and not team:
        team = bundles.teams_by_bundle(site.bundles_file).get(name, "")
    if not (team or name or path):
        # the default team is for DAGs nothing binds, not for those this process knows nothing of; the sweep tells them
        raise LookupError("this process can't tell whose DAG it is")
    return resolve(Evidence(team, name, str(path or ""), _names(tags)), rules(site))


def _names(tags: object) -> frozenset[str]:
    """Tags are texts in a DAG and rows in the database."""
    return frozenset(
        str(getattr(tag, "name", tag)) for tag in (tags if isinstance(tags, (set, frozenset, list, tuple)) else ())
    )
