"""What an environment costs a pod: a KubernetesPodOperator beside ours with an input and an output, in one DAG.

Runs against the stack that is up with Kubernetes and the team ops (`outrider up --with kubernetes`, `outrider demo`).
Both kinds take turns, one task at a time, the same image, the same command; a task's time is Airflow's own, from its
start to its end. Besides the medians, what is on top of the plain pod is printed: the aim is less than 2.5 s.
"""

import argparse
import json
import statistics
from pathlib import Path

import httpx
from outrider_cli.demo.ride import Ride
from outrider_local import airflow_config
from outrider_local.kubernetes import images
from outrider_local.stack import Stack

DAG = "bench_pod_start"
SOURCE = """
from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
from airflow.sdk import DAG
from kubernetes.client import models
from outrider_airflow import ExecutionEnvironmentOperator, Input, Output

JOB = dict(image="{image}", image_pull_policy="Never", cmds=["true"], startup_check_interval_seconds=1)
RESTRICTED = dict(
    security_context=models.V1PodSecurityContext(
        run_as_non_root=True, run_as_user=10000, seccomp_profile=models.V1SeccompProfile(type="RuntimeDefault")),
    container_security_context=models.V1SecurityContext(
        allow_privilege_escalation=False, capabilities=models.V1Capabilities(drop=["ALL"])))

with DAG("{dag}", schedule=None):
    before = make = ExecutionEnvironmentOperator(
        task_id="make", **JOB | dict(cmds=["sh", "-c", "seq 100 > $OUTRIDER_OUTPUT_NUMBERS/numbers.txt"]),
        outputs=dict(numbers=Output()))
    for number in range({rounds}):
        plain = KubernetesPodOperator(task_id=f"plain_{{number}}", **JOB, **RESTRICTED)
        ours = ExecutionEnvironmentOperator(
            task_id=f"ours_{{number}}", **JOB, inputs=dict(numbers=Input(task=make, output="numbers")),
            outputs=dict(nothing=Output()))
        before >> plain >> ours
        before = ours
"""


def durations(stack: Stack, run_id: str) -> dict[str, float]:
    """Seconds that each task of the run took, as Airflow tells."""
    with httpx.Client(base_url=airflow_config.url(stack), timeout=30, trust_env=False) as client:
        word = stack.secrets.password("airflow-admin")
        token = client.post("/auth/token", json={"username": "admin", "password": word}).json()["access_token"]
        path = f"/api/v2/dags/{DAG}/dagRuns/{run_id}/taskInstances?limit=1000"
        tasks = client.get(path, headers={"Authorization": f"Bearer {token}"}).json()["task_instances"]
    return {task["task_id"]: task["duration"] for task in tasks}


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, default=Path(".outrider"), help="home of the stack (.outrider)")
    parser.add_argument("--rounds", type=int, default=10, help="pods of each kind (10)")
    parser.add_argument("--json", action="store_true", help="print every duration as JSON")
    arguments = parser.parse_args()
    stack = Stack.open(arguments.home.absolute())
    ride = Ride(stack)
    file = stack.layout.bundles / "ops" / f"{DAG}.py"
    file.write_text(SOURCE.format(image=images.job(stack.layout).name, dag=DAG, rounds=arguments.rounds))
    try:
        run_id = ride.start(DAG)
        if ride.await_run(DAG, run_id, seconds=60 * arguments.rounds + 120) != "success":
            raise SystemExit(f"run {run_id} of {DAG} failed; see its tasks' logs in Airflow")
    finally:
        file.unlink()
    took = durations(stack, run_id)
    kinds = {kind: [seconds for task, seconds in took.items() if task.startswith(kind)] for kind in ("plain", "ours")}
    if arguments.json:
        print(json.dumps(kinds))
        return
    for kind, name in (("plain", "KubernetesPodOperator"), ("ours", "ExecutionEnvironmentOperator")):
        print(f"{name:<30} median {statistics.median(kinds[kind]):6.2f} s, slowest {max(kinds[kind]):6.2f} s")
    on_top = statistics.median(kinds["ours"]) - statistics.median(kinds["plain"])
    print(f"on top: {on_top:.2f} s ({'reached' if on_top < 2.5 else 'MISSED'}: aim < 2.5 s)")


if __name__ == "__main__":
    main()
