"""The twelve lines of the README: one task writes a file, the next one reads it."""

from airflow.sdk import DAG
from outrider_airflow import Input, LocalExecutionEnvironmentOperator, Output

with DAG("hello", schedule=None):
    make = LocalExecutionEnvironmentOperator(
        task_id="make", command="seq 10 > $OUTRIDER_OUTPUT_NUMBERS/numbers.txt",
        outputs={"numbers": Output(retention="7d")})
    LocalExecutionEnvironmentOperator(
        task_id="add", command="awk '{s += $1} END {print s}' $OUTRIDER_INPUT_NUMBERS/numbers.txt",
        inputs={"numbers": Input(task=make, output="numbers")})
