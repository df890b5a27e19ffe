"""How late do flights leave New York? extract -> delays (one per airport) -> check -> daily."""

from datetime import timedelta
from pathlib import Path

from airflow.sdk import DAG
from outrider_airflow import Input, LocalExecutionEnvironmentOperator, Output

HERE = Path(__file__).parent
AIRPORTS = ("EWR", "JFK", "LGA")

with DAG("flights", schedule=None, doc_md=__doc__):
    extract = LocalExecutionEnvironmentOperator(
        task_id="extract",
        command=["python3", f"{HERE}/jobs/extract.py", f"{HERE}/data/flights.csv.zip"],
        outputs={"flights": Output(retention="run")},
    )
    delays = LocalExecutionEnvironmentOperator.partial(
        task_id="delays",
        command=["sh", f"{HERE}/jobs/delays.sh"],
        inputs={"flights": Input(task=extract, output="flights")},
        outputs={"delays": Output(retention="run")},
    ).expand(params=[{"airport": airport} for airport in AIRPORTS])
    check = LocalExecutionEnvironmentOperator(
        task_id="check",
        command=["sh", f"{HERE}/jobs/check.sh"],
        inputs={"delays": Input(task=delays, output="delays")},
        outputs={"report": Output(retention="1d")},
        retries=2,
        retry_delay=timedelta(seconds=1),
    )
    daily = LocalExecutionEnvironmentOperator(
        task_id="daily",
        command=["python3", f"{HERE}/jobs/daily.py"],
        inputs={"delays": Input(task=delays, output="delays")},
        outputs={"daily": Output(retention="7d")},
    )
    check >> daily
