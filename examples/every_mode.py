"""What an environment task may declare: params, formats, mapped parts, an outside source, data by address.

And: a function as a job, another DAG's output that is waited for, a DAG that starts when an output is sealed.

Needs a connection `orders_db` of the team, of any kind: Outrider hands it to the job as a file.
"""

from pathlib import Path

from airflow.sdk import DAG, task, task_group
from outrider_airflow import (
    Input,
    LocalExecutionEnvironmentOperator,
    Output,
    OutputSensor,
    Source,
    output_asset,
)

JOBS = Path(__file__).parent / "jobs"

with DAG("every_mode", schedule=None, doc_md=__doc__):
    extract = LocalExecutionEnvironmentOperator(
        task_id="extract",
        command=["python3", f"{JOBS}/extract.py"],
        sources={"orders_db": Source(connection="orders_db")},
        params={"rows": 1000},
        outputs={"orders": Output(retention="12h", format="csv")},
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

    @task.outrider(inputs={"orders": Input(task=extract, output="orders")}, outputs={"count": Output(required=False)})
    def count(header_lines: int) -> int:
        """A job in Python: it gets and returns JSON, and reads and writes plain files."""
        import os
        from pathlib import Path

        (file,) = Path(os.environ["OUTRIDER_INPUT_ORDERS"]).glob("*.csv")
        rows = len(file.read_text().splitlines()) - header_lines
        Path(os.environ["OUTRIDER_OUTPUT_COUNT"], "rows").write_text(str(rows))
        return rows

    count(0)

    @task_group
    def each(region: str) -> None:
        """Instance by instance: the second task reads what the first of its own instance wrote."""
        pick = LocalExecutionEnvironmentOperator(
            task_id="pick",
            command="echo $REGION >$OUTRIDER_OUTPUT_ONE/region",
            env={"REGION": region},
            outputs={"one": Output()},
        )
        LocalExecutionEnvironmentOperator(
            task_id="use",
            command='test "$(cat $OUTRIDER_INPUT_ONE/region)" = "$REGION"',
            env={"REGION": region},
            inputs={"one": Input(task=pick, output="one")},
        )

    each.expand(region=["north", "south"])

with DAG("every_wait", schedule=None, doc_md=__doc__):
    # in the triggerer, until the run of the same date has sealed it
    there = OutputSensor(
        task_id="there",
        awaited=Input(dag="every_mode", task="join", output="totals", run="same-date"),
        deferrable=True,
        poke_interval=1,
        timeout=3600,
    )
    # put off by itself, without a sensor
    patient = LocalExecutionEnvironmentOperator(
        task_id="patient",
        command="wc -l $OUTRIDER_INPUT_TOTALS/totals.csv",
        inputs={
            "totals": Input(dag="every_mode", task="join", output="totals", run="same-date", wait="1h"),
            "yesterday": Input(dag="every_mode", task="extract", output="orders", run="latest", optional=True),
        },
    )
    there >> patient

# of your own team: put its name here
with DAG("every_seal", schedule=[output_asset(team="ops", dag="every_mode", task="join", output="totals")]):
    LocalExecutionEnvironmentOperator(
        task_id="read",
        command="cat $OUTRIDER_INPUT_TOTALS/totals.csv",
        inputs={"totals": Input(dag="every_mode", task="join", output="totals")},
    )
