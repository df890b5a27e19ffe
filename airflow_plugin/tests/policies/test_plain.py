"""Any operator learns its place: by variables, by macros, in a pod, in TaskFlow."""

from types import SimpleNamespace
from typing import Any

import pluggy
import pytest
from airflow import policies
from outrider_airflow import macros, plain, plain_policies
from outrider_airflow.plain import context_variables, environment_of, tell_pod

PLACE = "ads/daily/each/run~manual__1/m2"
TOLD = {"AIRFLOW_CTX_OUTRIDER_PLACE": PLACE, "AIRFLOW_CTX_OUTRIDER_TEAM": "ads", "AIRFLOW_CONN_DB": "secret"}


def task_instance(**other: Any) -> SimpleNamespace:
    """A mapped instance in a run without logical date, as its process has it."""
    run = SimpleNamespace(team_name="ads", logical_date=None)
    told = {"dag_id": "daily", "run_id": "manual__1", "task_id": "each", "map_index": 2, "context_carrier": {}}
    return SimpleNamespace(**{**told, "_ti_context_from_server": SimpleNamespace(dag_run=run), **other})


class Sites:
    """A site's own policy."""

    @policies.hookimpl
    def get_airflow_context_vars(self, context: Any) -> dict[str, str]:
        return {"site": "lab", "outrider_team": "theirs"}


def exported(context: Any, *plugins: object) -> dict[str, str]:
    """What Airflow exports with these policies registered."""
    manager = pluggy.PluginManager("airflow.policy")
    manager.add_hookspecs(policies)
    for plugin in (policies.DefaultPolicy, *plugins):
        manager.register(plugin)
    return dict(manager.hook.get_airflow_context_vars(context=context))


def test_every_operator_finds_team_place_and_trace_in_its_variables() -> None:
    told = exported({"ti": task_instance()}, plain_policies)

    assert (told["outrider_team"], told["outrider_place"]) == ("ads", PLACE)
    assert told["outrider_traceparent"].startswith("00-")


def test_a_sites_own_policy_is_heard_too_and_counts_more() -> None:
    for order in ((Sites(), plain_policies), (plain_policies, Sites())):
        told = exported({"ti": task_instance()}, *order)

        assert (told["site"], told["outrider_team"], told["outrider_place"]) == ("lab", "theirs", PLACE)


def test_a_task_whose_team_can_not_be_told_runs_all_the_same(caplog: pytest.LogCaptureFixture) -> None:
    assert exported({"ti": object()}, plain_policies) == {}
    assert "could not say where this task's place is" in caplog.text


def test_macros_say_the_same() -> None:
    assert (macros.team(task_instance()), macros.place(task_instance())) == ("ads", PLACE)


def test_taskflow_asks_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    import outrider_airflow

    monkeypatch.setattr(plain, "get_current_context", lambda: {"ti": task_instance()})

    assert outrider_airflow.environment() == environment_of(task_instance())


def test_nothing_of_it_is_a_secret() -> None:
    assert set(context_variables({"ti": task_instance()})) == {
        "outrider_team",
        "outrider_place",
        "outrider_traceparent",
    }


def pod(labels: dict[str, str] | None) -> Any:
    own = SimpleNamespace(name="AIRFLOW_CTX_OUTRIDER_TEAM", value="own")
    containers = [SimpleNamespace(env=[own]), SimpleNamespace(env=None)]
    return SimpleNamespace(metadata=SimpleNamespace(labels=labels), spec=SimpleNamespace(containers=containers))


def test_the_job_of_a_pod_operator_is_told_and_its_author_counts_more() -> None:
    pytest.importorskip("kubernetes", reason="the cncf provider is not installed here")
    mine = pod({"kubernetes_pod_operator": "True"})

    tell_pod(mine, TOLD)

    job, other = mine.spec.containers
    assert {each.name: each.value for each in job.env} == {
        "AIRFLOW_CTX_OUTRIDER_TEAM": "own",
        "AIRFLOW_CTX_OUTRIDER_PLACE": PLACE,
    }
    assert other.env is None


def test_pods_of_others_are_left_alone() -> None:
    """The scheduler's executor makes some, in a process that has no such variables."""
    for untouched, environ in ((pod(None), TOLD), (pod({"kubernetes_pod_operator": "True"}), {})):
        tell_pod(untouched, environ)

        assert len(untouched.spec.containers[0].env) == 1
