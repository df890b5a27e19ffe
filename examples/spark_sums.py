"""A Spark application with executors in the team's namespace. It needs an image and an application of yours."""

from airflow.sdk import DAG
from outrider_airflow import Input, Output, SparkExecutionEnvironmentOperator

with DAG("spark_sums", schedule=None):
    SparkExecutionEnvironmentOperator(
        task_id="sum",
        image="registry.example.org/ads/spark:7",
        # reads os.environ["OUTRIDER_INPUT_NUMBERS"].split(), writes below os.environ["OUTRIDER_OUTPUT_SUMS"]
        application="/opt/jobs/sums.py",
        executors=4,
        executor_memory="4g",
        inputs={"numbers": Input(dag="hello", task="make", output="numbers")},
        outputs={"sums": Output(retention="7d")},
        retries=2,
    )
