"""Jobs on a team's shared volume: nothing is carried, each works where its data lies.

For a team whose document says `storage: {backend: directory}`, in pods; the image needs nothing of ours.
"""

from airflow.sdk import DAG
from outrider_airflow import ExecutionEnvironmentOperator, Input, Output

IMAGE = "docker.io/library/debian:12"

with DAG("shared_volume", schedule=None, doc_md=__doc__):
    scan = ExecutionEnvironmentOperator(
        task_id="scan",
        image=IMAGE,
        mode="volume",
        cmds=["sh", "-c", "seq 1000000 | split -l 1000 - $OUTRIDER_OUTPUT_SCANS/part-"],
        outputs={"scans": Output(retention="12h")},
    )
    ExecutionEnvironmentOperator(
        task_id="count",
        image=IMAGE,
        mode="volume",
        cmds=["sh", "-c", "cat $OUTRIDER_INPUT_SCANS/part-* | wc -l > $OUTRIDER_OUTPUT_COUNT/lines"],
        inputs={"scans": Input(task=scan, output="scans")},
        outputs={"count": Output()},
    )
