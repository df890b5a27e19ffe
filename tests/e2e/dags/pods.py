"""A pod that works for as long as somebody may want to disturb it, and is tried once more."""

from datetime import timedelta
from pathlib import Path

from airflow.sdk import DAG
from outrider_airflow import ExecutionEnvironmentOperator, Output

IMAGE = Path(__file__).with_name("image").read_text()
WORK = "sleep 20; hostname > $OUTRIDER_OUTPUT_NAME/pod.txt"

for name, deferrable in (("pods", False), ("pods_deferred", True)):
    with DAG(name, schedule=None):
        ExecutionEnvironmentOperator(
            task_id="work",
            image=IMAGE,
            image_pull_policy="Never",
            cmds=["sh", "-c", WORK],
            outputs={"name": Output(retention="1d")},
            retries=1,
            retry_delay=timedelta(seconds=1),
            deferrable=deferrable,
            startup_check_interval_seconds=1,
        )
