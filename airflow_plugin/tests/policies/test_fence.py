"""What a team's tasks may name, on real operators, and where KubernetesExecutor's pods go."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from airflow.exceptions import AirflowClusterPolicyViolation
from airflow.providers.cncf.kubernetes.exceptions import PodMutationHookException
from airflow.providers.cncf.kubernetes.operators.job import KubernetesJobOperator
from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
from airflow.providers.cncf.kubernetes.operators.resource import KubernetesCreateResourceOperator
from airflow.providers.cncf.kubernetes.operators.spark_kubernetes import SparkKubernetesOperator
from airflow.providers.cncf.kubernetes.pod_generator import PodGenerator
from airflow.sdk import DAG, BaseOperator, task
from airflow.sdk.execution_time import task_runner
from airflow.settings import pod_mutation_hook
from kubernetes.client import models as k8s
from outrider_airflow import Input, LocalExecutionEnvironmentOperator, Source, fence
from outrider_airflow.policies import dag_policy
from outrider_airflow.settings import settings
from outrider_contracts.declarations import Mode

TEAM = "outrider-team-ads"


@pytest.fixture(autouse=True)
def _site(tmp_path: Path) -> Iterator[None]:
    """A site of two teams whose pods have namespaces; the DAG of a test lies in the bundle of ads."""
    file = tmp_path / "bundles.json"
    file.write_text(
        json.dumps(
            [
                {"name": f"{team}-dags", "kwargs": {"path": f"/dags/{team}"}, "team_name": team}
                for team in ("ads", "hr1")
            ]
        )
    )
    told = {"AIRFLOW__OUTRIDER__BUNDLES_FILE": str(file), "AIRFLOW__OUTRIDER__TEAM_NAMESPACES": "True"}
    os.environ |= told
    settings.cache_clear()
    yield
    for name in told:
        del os.environ[name]
    settings.cache_clear()


def read(dag: DAG, file: str = "/dags/ads/daily.py") -> DAG:
    """The DAG as it is after its file was read."""
    dag.fileloc = file
    dag_policy(dag)
    return dag


def with_task(**told: Any) -> DAG:
    with DAG("daily", schedule=None) as dag:
        KubernetesPodOperator(task_id="work", image="job", **told)
    return dag


def overridden(base: dict[str, Any] | None = None, account: str = "", **metadata: Any) -> dict[str, Any]:
    """An `executor_config` that sets *metadata*, the pod's *account*, and *base* in the task's container."""
    containers = [k8s.V1Container(name="base", **base)] if base else []
    spec = k8s.V1PodSpec(service_account_name=account or None, containers=containers)
    return {"executor_config": {"pod_override": k8s.V1Pod(metadata=k8s.V1ObjectMeta(**metadata), spec=spec)}}


def refused(dag: DAG) -> str:
    with pytest.raises(AirflowClusterPolicyViolation) as refusal:
        read(dag)
    assert "DAG 'daily', task 'work'" in str(refusal.value)
    return str(refusal.value)


def test_what_the_author_left_open_is_the_team_s() -> None:
    task: Any = read(with_task()).get_task("work")

    assert (task.namespace, task.service_account_name, task.kubernetes_conn_id) == (TEAM, "job", "kubernetes_default")


def test_what_a_pod_runs_as_follows_from_it_without_any_cluster() -> None:
    template = {"metadata": {}, "spec": {"serviceAccountName": "spark", "containers": [{"name": "base"}]}}
    task: Any = read(with_task(name="w", pod_template_dict=template)).get_task("work")

    pod = task.build_pod_request_obj(dry_run=True)

    assert (pod.metadata.namespace, pod.spec.service_account_name) == (TEAM, "spark")


def test_a_mapped_task_is_fenced_too() -> None:
    with DAG("daily", schedule=None) as dag:
        KubernetesPodOperator.partial(task_id="work", image="job").expand(arguments=[["a"], ["b"]])

    task: Any = read(dag).get_task("work")

    assert (task.partial_kwargs["namespace"], task.partial_kwargs["service_account_name"]) == (TEAM, "job")


def test_what_the_fence_sets_can_not_be_expanded() -> None:
    with DAG("daily", schedule=None) as dag:
        KubernetesPodOperator.partial(task_id="work", image="job").expand(namespace=[TEAM, "hr"])

    assert "namespace can't be expanded" in refused(dag)


def test_other_operators_of_kubernetes_are_fenced_alike() -> None:
    with DAG("daily", schedule=None) as dag:
        KubernetesJobOperator(task_id="work", image="job", namespace="default")

    assert "namespace 'default' is not the team's" in refused(dag)


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"namespace": "outrider-team-hr1"}, f"run in namespace {TEAM}"),
        ({"namespace": "{{ params.where }}"}, f"namespace='{TEAM}'"),
        ({"service_account_name": "runner"}, "under service account job or spark"),
        ({"kubernetes_conn_id": "other"}, "by their connection kubernetes_default"),
        ({"config_file": "/root/.kube/config"}, "config_file is not offered"),
        ({"in_cluster": True}, "in_cluster is not offered"),
        ({"cluster_context": "prod"}, "cluster_context is not offered"),
        ({"pod_template_dict": {"metadata": {"namespace": "kube-system"}}}, "the pod template's namespace"),
        ({"full_pod_spec": k8s.V1Pod(spec=k8s.V1PodSpec(service_account_name="x", containers=[]))}, "name 'x'"),
        (overridden(namespace="x"), "the pod_override's namespace 'x'"),
        (overridden(account="x"), "the pod_override's service_account_name 'x'"),
        (overridden({"args": ["x"]}), "the pod_override's args"),
        (overridden({"command": ["x"]}), "the pod_override's command"),
        (overridden(labels={"kubernetes_executor": "False"}), "the pod_override's 'kubernetes_executor'"),
        (overridden(annotations={"dag_id": "theirs"}), "the pod_override's 'dag_id'"),
        ({"deferrable": True, "trigger_kwargs": {"name": "theirs"}}, "trigger_kwargs may not set 'name'"),
        ({"pool": "hr1__default"}, "pool 'hr1__default' is team hr1's"),
        ({"kubernetes_conn_id": "hr1__cluster"}, "kubernetes_conn_id 'hr1__cluster' is team hr1's"),
    ],
)
def test_what_is_another_s_is_refused_with_the_fix(told: dict[str, Any], words: str) -> None:
    assert words in refused(with_task(**told))


def test_pools_and_connections_of_the_team_and_of_nobody_are_free() -> None:
    class Plain(BaseOperator):
        def __init__(self, sftp_conn_id: str = "", **rest: Any) -> None:
            super().__init__(**rest)
            self.sftp_conn_id = sftp_conn_id

    with DAG("daily", schedule=None) as dag:
        Plain(task_id="own", pool="ads__default", sftp_conn_id="ads__sftp")
        Plain(task_id="shared", pool="default_pool", sftp_conn_id="nobody__sftp")

    read(dag)


def reading(team: str, mode: Mode = "volume") -> DAG:
    with DAG("daily", schedule=None) as dag:
        declared = {"orders": Input("load", "orders", dag="hourly", team=team)}
        LocalExecutionEnvironmentOperator(task_id="work", command="true", mode=mode, inputs=declared)
    return dag


def test_no_other_team_s_output_lies_on_a_team_s_volume() -> None:
    """Its own does, also where its name is written out; other modes carry what was granted."""
    assert "input 'orders': with mode=\"volume\" team ads's own directory is mounted" in refused(reading("hr1"))

    read(reading("ads"))
    read(reading("hr1", "files"))


def test_a_dag_that_nothing_binds_to_a_team_is_left_alone() -> None:
    task: Any = read(with_task(namespace="default"), "/elsewhere/daily.py").get_task("work")

    assert task.namespace == "default"


def test_without_namespaces_of_teams_pods_are_the_site_s_business() -> None:
    os.environ["AIRFLOW__OUTRIDER__TEAM_NAMESPACES"] = "False"
    settings.cache_clear()

    task: Any = read(with_task(namespace="default")).get_task("work")

    assert task.namespace == "default"


def test_what_is_known_only_when_it_runs_is_no_error() -> None:
    """A template of a pod, or an executor_config, may be another task's result."""
    with DAG("daily", schedule=None) as dag:

        @task
        def makes() -> dict[str, Any]:
            return {}

        made: Any = makes()
        KubernetesPodOperator(task_id="told", image="job", pod_template_dict=made, trigger_kwargs=made)
        rendered: Any = "{{ var.json.template }}"
        KubernetesPodOperator(task_id="rendered", image="job", pod_template_dict=rendered)
        KubernetesPodOperator(task_id="inner", image="job", pod_template_dict={"metadata": "{{ var.json.metadata }}"})
        KubernetesPodOperator(task_id="config", image="job", executor_config=made)
        KubernetesPodOperator.partial(task_id="each", image="job").expand_kwargs(made, strict=False)

    assert read(dag).task_dict.keys() == {"makes", "told", "rendered", "inner", "config", "each"}


def test_a_namespace_is_seen_under_whatever_name_the_operator_keeps_it() -> None:
    with DAG("daily", schedule=None) as dag:
        KubernetesCreateResourceOperator(task_id="work", yaml_conf="a: b", namespace="outrider-team-hr1")
    with DAG("own", schedule=None) as own:
        KubernetesCreateResourceOperator(task_id="work", yaml_conf="a: b")

    assert "namespace 'outrider-team-hr1' is not the team's" in refused(dag)
    created: Any = read(own).get_task("work")
    assert created.get_namespace() == TEAM


def test_what_an_argument_is_by_default_its_author_has_not_said() -> None:
    with DAG("daily", schedule=None) as dag:
        SparkKubernetesOperator(task_id="work", application_file="app.yaml", image="job")

    task: Any = read(dag).get_task("work")

    assert task.namespace == TEAM


def test_what_the_fence_sets_can_not_be_expanded_by_keyword_arguments_either() -> None:
    with DAG("daily", schedule=None) as dag:
        partial = KubernetesPodOperator.partial(task_id="work", image="job")
        partial.expand_kwargs([{"arguments": ["a"]}, {"namespace": "outrider-team-hr1"}], strict=False)

    assert "namespace can't be expanded" in refused(dag)


@pytest.mark.parametrize("as_list", [False, True])
@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("sftp_conn_id", "hr1__db", "sftp_conn_id 'hr1__db' is team hr1's"),
        ("trigger_kwargs", {"status": "success"}, "trigger_kwargs may not set 'status'"),
    ],
)
def test_expanded_values_are_looked_at_as_far_as_they_are_there(
    name: str, value: object, words: str, *, as_list: bool
) -> None:
    class Reaching(KubernetesPodOperator):
        def __init__(self, sftp_conn_id: str = "", **rest: Any) -> None:
            super().__init__(**rest)
            self.sftp_conn_id = sftp_conn_id

    with DAG("daily", schedule=None) as dag:
        partial = Reaching.partial(task_id="work", image="job")
        if as_list:
            partial.expand_kwargs([{"arguments": ["a"]}, {name: value}])
        else:
            partial.expand(**{name: [{} if name == "trigger_kwargs" else "ads__db", value]})

    assert words in refused(dag)


@pytest.mark.parametrize("kind", ["sources", "destinations"])
def test_a_declared_connection_is_the_team_s_too(kind: str) -> None:
    told: dict[str, Any] = {kind: {"raw": Source("hr1__db")}}
    with DAG("daily", schedule=None) as dag:
        LocalExecutionEnvironmentOperator(task_id="work", command="true", **told)
    with DAG("daily", schedule=None) as mapped:
        LocalExecutionEnvironmentOperator.partial(task_id="work", **told).expand(command=["true", "false"])

    for written in (dag, mapped):
        assert f"{kind}['raw'] 'hr1__db' is team hr1's" in refused(written)


def executor_pod(
    bundle: str = "ads-dags", override: k8s.V1Pod | None = None, args: tuple[str, ...] | None = None
) -> k8s.V1Pod:
    """The pod as KubernetesExecutor builds it in the scheduler, with the workload as its argument."""
    workload = json.dumps({"ti": {"dag_id": "daily"}, "bundle_info": {"name": bundle}})
    return PodGenerator.construct_pod(
        dag_id="daily", task_id="work", pod_id="work", try_number=1, kube_image="airflow", date=None, run_id="r1",
        args=["python", "-m", "airflow.sdk.execution_time.execute_workload", "--json-string", workload]
        if args is None else list(args),
        pod_override_object=override,
        base_worker_pod=k8s.V1Pod(
            metadata=k8s.V1ObjectMeta(), spec=k8s.V1PodSpec(containers=[k8s.V1Container(name="base")])
        ),
        namespace="airflow", scheduler_job_id="7", with_mutation_hook=True,
    )  # fmt: skip


def not_placed(**told: Any) -> str:
    with pytest.raises(PodMutationHookException) as refusal:
        executor_pod(**told)
    return str(refusal.value.__cause__)


def test_a_pod_of_the_executor_runs_in_its_team_s_namespace() -> None:
    pod = executor_pod()

    assert (pod.metadata.namespace, pod.spec.service_account_name) == (TEAM, "job")


def test_a_pod_of_the_executor_for_no_team_stays_where_it_is() -> None:
    spec = k8s.V1PodSpec(service_account_name="airflow", containers=[])
    pod = executor_pod("platform-dags", k8s.V1Pod(metadata=k8s.V1ObjectMeta(namespace=TEAM), spec=spec))

    assert (pod.metadata.namespace, pod.spec.service_account_name) == ("airflow", None)


def test_no_override_moves_a_pod_of_the_executor_or_hides_it_from_it() -> None:
    """The override is merged last and wins; who skips the policies may write what he likes into it."""
    marks = {"kubernetes_executor": "False", "airflow-worker": "9", "dag_id": "theirs", "map_index": "3", "own": "x"}
    override = k8s.V1Pod(
        metadata=k8s.V1ObjectMeta(namespace="outrider-team-hr1", name="theirs", labels=marks, annotations=marks),
        spec=k8s.V1PodSpec(
            service_account_name="airflow", service_account="airflow",
            containers=[k8s.V1Container(name="base", image="mine")],
        ),
    )  # fmt: skip

    pod, plain = executor_pod(override=override), executor_pod()

    assert (pod.metadata.namespace, pod.metadata.name) == (TEAM, "work")
    assert (pod.spec.service_account_name, pod.spec.service_account) == ("job", None)
    assert pod.metadata.labels == {**plain.metadata.labels, "own": "x"}
    assert pod.metadata.annotations == {**plain.metadata.annotations, "own": "x"}
    assert pod.spec.containers[0].image == "mine"


def test_every_mark_of_the_executor_is_known() -> None:
    """Written for the Airflow that marks its pods with more."""
    pod = executor_pod()

    assert {*pod.metadata.labels, *pod.metadata.annotations} <= set(fence.EXECUTORS)


@pytest.mark.parametrize("bundle", ["hr1-dags", "ads-dags"])
def test_a_workload_of_the_author_s_own_is_refused_however_right_it_looks(bundle: str) -> None:
    forged = list(executor_pod(bundle).spec.containers[0].args)
    forged[-1] = forged[-1].replace("daily", "nightly")
    override = k8s.V1Pod(spec=k8s.V1PodSpec(containers=[k8s.V1Container(name="base", args=forged)]))

    assert "args of its own" in not_placed(override=override)


@pytest.mark.parametrize("args", [(), ("airflow", "tasks", "run"), ("[]",), ("{}",), ('{"bundle_info": null}',)])
def test_a_pod_that_carries_no_workload_is_refused(args: tuple[str, ...]) -> None:
    assert "names no bundle" in not_placed(args=args)


def test_without_a_list_of_bundles_no_pod_of_the_executor_is_made(tmp_path: Path) -> None:
    (tmp_path / "bundles.json").unlink()

    assert "no bundle of any team" in not_placed()


def test_in_the_scheduler_a_pod_that_is_not_made_by_the_executor_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["airflow", "scheduler"])

    with pytest.raises(ValueError, match="not made the way KubernetesExecutor makes its pods"):
        pod_mutation_hook(k8s.V1Pod(metadata=k8s.V1ObjectMeta(), spec=k8s.V1PodSpec(containers=[])))  # type: ignore[no-untyped-call]


def test_a_task_s_own_pod_is_none_of_the_executor_s_whatever_it_is_labelled(monkeypatch: pytest.MonkeyPatch) -> None:
    """LocalExecutor's tasks are forked from the scheduler and have its command line."""
    monkeypatch.setattr("sys.argv", ["airflow", "scheduler"])
    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", object(), raising=False)
    workload = json.dumps({"bundle_info": {"name": "hr1-dags"}})
    disguised: Any = read(with_task(labels={"kubernetes_executor": "True"}, arguments=[workload])).get_task("work")

    pod = disguised.build_pod_request_obj(dry_run=True)

    assert (pod.metadata.namespace, pod.spec.service_account_name) == (TEAM, "job")
