"""The ten worst days to leave New York: a pod of the newsroom reads another team's output, which both have granted."""

from pathlib import Path

from airflow.sdk import DAG
from outrider_airflow import ExecutionEnvironmentOperator, Input, Output

IMAGE = Path(__file__).with_name("image").read_text()

with DAG("punctuality", schedule=None, doc_md=__doc__):
    ExecutionEnvironmentOperator(
        task_id="rank",
        image=IMAGE,
        image_pull_policy="Never",
        cmds=["sh", "/jobs/rank.sh"],
        inputs={"daily": Input(team="ops", dag="flights", task="daily", output="daily")},
        outputs={"worst": Output(retention="forever")},
    )
