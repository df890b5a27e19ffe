"""What a team's tasks may name, on real operators, and where KubernetesExecutor's pods go."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from airflow.exceptions import AirflowClusterPolicyViolation
from airflow.providers.cncf.kubernetes.operators.job import KubernetesJobOperator
from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
from airflow.providers.cncf.kubernetes.pod_generator import PodGenerator
from airflow.sdk import DAG, BaseOperator
from airflow.settings import pod_mutation_hook
from kubernetes.client import models as k8s
from outrider_airflow import Input, LocalExecutionEnvironmentOperator
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
        ({"executor_config": {"pod_override": k8s.V1Pod(metadata=k8s.V1ObjectMeta(namespace="x"))}}, "pod_override"),
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


def executor_pod(bundle: str) -> k8s.V1Pod:
    """The pod as KubernetesExecutor builds it, with the workload as its argument."""
    workload = json.dumps({"ti": {"dag_id": "daily"}, "bundle_info": {"name": bundle}})
    return PodGenerator.construct_pod(
        dag_id="daily", task_id="work", pod_id="work", try_number=1, kube_image="airflow", date=None,
        args=["python", "-m", "airflow.sdk.execution_time.execute_workload", "--json-string", workload],
        pod_override_object=None,
        base_worker_pod=k8s.V1Pod(metadata=k8s.V1ObjectMeta(), spec=k8s.V1PodSpec(containers=[])),
        namespace="airflow", scheduler_job_id="7", with_mutation_hook=False,
    )  # fmt: skip


def test_a_pod_of_the_executor_runs_in_its_team_s_namespace() -> None:
    pod = executor_pod("ads-dags")

    pod_mutation_hook(pod)  # type: ignore[no-untyped-call]

    assert (pod.metadata.namespace, pod.spec.service_account_name) == (TEAM, "job")


def test_a_pod_of_the_executor_for_no_team_stays_where_it_is() -> None:
    pod = executor_pod("platform-dags")

    pod_mutation_hook(pod)  # type: ignore[no-untyped-call]

    assert (pod.metadata.namespace, pod.spec.service_account_name) == ("airflow", None)
