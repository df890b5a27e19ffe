"""What an environment task may declare: params, mapped parts, an outside source, data by address instead of by file.

Needs a connection `orders_db` of the team, of any kind: Outrider hands it to the job as a file.
"""

from pathlib import Path

from airflow.sdk import DAG
from outrider_airflow import Input, LocalExecutionEnvironmentOperator, Output, Source

JOBS = Path(__file__).parent / "jobs"

with DAG("every_mode", schedule=None, doc_md=__doc__):
    extract = LocalExecutionEnvironmentOperator(
        task_id="extract",
        command=["python3", f"{JOBS}/extract.py"],
        sources={"orders_db": Source(connection="orders_db")},
        params={"rows": 1000},
        outputs={"orders": Output(retention="run")},
    )
    per_region = LocalExecutionEnvironmentOperator.partial(
        task_id="per_region",
        command=["sh", f"{JOBS}/per_region.sh"],
        inputs={"orders": Input(task=extract, output="orders")},
        outputs={"total": Output(retention="12h")},
    ).expand(params=[{"region": "north"}, {"region": "south"}])
    LocalExecutionEnvironmentOperator(
        task_id="join",
        command="sort $OUTRIDER_INPUT_TOTALS/m*/total.csv | tee $OUTRIDER_OUTPUT_TOTALS/totals.csv",
        inputs={"totals": Input(task=per_region, output="total")},
        outputs={"totals": Output(retention="forever")},
    )
    LocalExecutionEnvironmentOperator(
        task_id="largest",
        command=["python3", f"{JOBS}/largest.py"],
        mode="uris",
        inputs={"orders": Input(task=extract, output="orders")},
        outputs={"largest": Output()},
    )
