"""Another team waits for what ops offers it, in every way a sensor may, and for what it was never granted."""

from airflow.sdk import DAG
from outrider_airflow import Input, LocalExecutionEnvironmentOperator, OutputSensor

DAILY = Input(team="ops", dag="flights", task="daily", output="daily", run="same-date")

with DAG("watch", schedule=None):
    deferred = OutputSensor(task_id="deferred", awaited=DAILY, deferrable=True, poke_interval=1, timeout=600)
    put_off = OutputSensor(task_id="put_off", awaited=DAILY, mode="reschedule", poke_interval=30, timeout=600)
    [deferred, put_off] >> LocalExecutionEnvironmentOperator(
        task_id="read", command="ls $OUTRIDER_INPUT_DAILY", inputs={"daily": DAILY}
    )

with DAG("pry", schedule=None):
    for name, deferrable in (("deferred", True), ("poking", False)):
        OutputSensor(
            task_id=name,
            awaited=Input(team="ops", dag="supply", task="load", output="goods"),
            deferrable=deferrable,
            retries=3,
            timeout=600,
        )
