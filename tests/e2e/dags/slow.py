"""A run that is long enough to be lied about: one output kept for the run, then half a minute of waiting."""

from airflow.sdk import DAG
from outrider_airflow import Input, LocalExecutionEnvironmentOperator, Output

with DAG("slow", schedule=None):
    quick = LocalExecutionEnvironmentOperator(
        task_id="quick",
        command="echo done >$OUTRIDER_OUTPUT_MARK/mark.txt",
        outputs={"mark": Output(retention="run")},
    )
    LocalExecutionEnvironmentOperator(
        task_id="wait", command="sleep 30", inputs={"mark": Input(task=quick, output="mark")}
    )
