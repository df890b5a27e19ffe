"""The ten worst days to leave New York: reads another team's output, which both teams have granted."""

from pathlib import Path

from airflow.sdk import DAG
from outrider_airflow import Input, LocalExecutionEnvironmentOperator, Output

HERE = Path(__file__).parent

with DAG("punctuality", schedule=None, doc_md=__doc__):
    LocalExecutionEnvironmentOperator(
        task_id="rank",
        command=["sh", f"{HERE}/jobs/rank.sh"],
        inputs={"daily": Input(team="ops", dag="flights", task="daily", output="daily")},
        outputs={"worst": Output(retention="forever")},
    )
