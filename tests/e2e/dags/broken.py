"""A run that fails: the second task can't do its work, the third never runs because of it."""

from airflow.sdk import DAG
from outrider_airflow import Input, LocalExecutionEnvironmentOperator, Output

with DAG("broken", schedule=None):
    take = LocalExecutionEnvironmentOperator(
        task_id="take", command="echo 1 >$OUTRIDER_OUTPUT_ROWS/rows.txt", outputs={"rows": Output(retention="1d")}
    )
    count = LocalExecutionEnvironmentOperator(
        task_id="count", command="exit 7", inputs={"rows": Input(task=take, output="rows")}, outputs={"sum": Output()}
    )
    LocalExecutionEnvironmentOperator(task_id="tell", command="true", inputs={"sum": Input(task=count, output="sum")})
