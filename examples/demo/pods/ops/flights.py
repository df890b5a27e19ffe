"""How late do flights leave New York? extract -> delays (one per airport) -> check -> daily, each a pod of team ops."""

from datetime import timedelta
from pathlib import Path

from airflow.sdk import DAG
from outrider_airflow import ExecutionEnvironmentOperator, Input, Output

IMAGE = Path(__file__).with_name("image").read_text()
JOB = {"image": IMAGE, "image_pull_policy": "Never"}
AIRPORTS = ("EWR", "JFK", "LGA")

with DAG("flights", schedule=None, doc_md=__doc__):
    extract = ExecutionEnvironmentOperator(
        task_id="extract",
        **JOB,
        cmds=["python3", "/jobs/extract.py", "/data/flights.csv.zip"],
        outputs={"flights": Output(retention="run")},
    )
    delays = ExecutionEnvironmentOperator.partial(
        task_id="delays",
        **JOB,
        cmds=["sh", "/jobs/delays.sh"],
        inputs={"flights": Input(task=extract, output="flights")},
        outputs={"delays": Output(retention="run")},
    ).expand(params=[{"airport": airport} for airport in AIRPORTS])
    check = ExecutionEnvironmentOperator(
        task_id="check",
        **JOB,
        cmds=["sh", "/jobs/check.sh"],
        inputs={"delays": Input(task=delays, output="delays")},
        outputs={"report": Output(retention="1d")},
        retries=2,
        retry_delay=timedelta(seconds=1),
    )
    daily = ExecutionEnvironmentOperator(
        task_id="daily",
        **JOB,
        cmds=["python3", "/jobs/daily.py"],
        inputs={"delays": Input(task=delays, output="delays")},
        outputs={"daily": Output(retention="7d")},
        deferrable=True,
    )
    check >> daily
