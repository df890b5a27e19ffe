"""What ops offers: `supply` writes, `parts` is a mapped group, the others wait or are started by an asset."""

from airflow.sdk import DAG, task, task_group
from outrider_airflow import Input, LocalExecutionEnvironmentOperator, Output, output_asset

with DAG("supply", schedule=None):

    @task.outrider(outputs={"goods": Output(format="json"), "rest": Output(required=False)})
    def load(kind: str) -> dict[str, str]:
        """A job of its own, in Python."""
        import json
        import os
        import shutil

        with open(os.environ["OUTRIDER_OUTPUT_GOODS"] + "/goods.json", "w") as file:
            json.dump({"kind": kind}, file)
        shutil.rmtree(os.environ["OUTRIDER_OUTPUT_REST"])
        return {"kind": kind}

    load("{{ dag_run.conf.get('kind', 'nails') }}")

with DAG("arrival", schedule=[output_asset(team="ops", dag="supply", task="load", output="goods")]):
    LocalExecutionEnvironmentOperator(
        task_id="unpack",
        command="cat $OUTRIDER_INPUT_GOODS/goods.json; cp $OUTRIDER_ENVIRONMENT $OUTRIDER_OUTPUT_COPY",
        inputs={"goods": Input(dag="supply", task="load", output="goods")},
        outputs={"copy": Output()},
    )

with DAG("patient", schedule=None):
    LocalExecutionEnvironmentOperator(
        task_id="unpack",
        command="cat $OUTRIDER_INPUT_GOODS/goods.json",
        inputs={"goods": Input(dag="supply", task="load", output="goods", run="same-date", wait="10m")},
    )

with DAG("parts", schedule=None):

    @task_group
    def each(word: str) -> None:
        """One pair of tasks per word; the second reads what its own first wrote."""
        first = LocalExecutionEnvironmentOperator(
            task_id="first",
            command="echo $WORD >$OUTRIDER_OUTPUT_WORD/word",
            env={"WORD": word},
            outputs={"word": Output()},
        )
        LocalExecutionEnvironmentOperator(
            task_id="second",
            command='test "$(cat $OUTRIDER_INPUT_WORD/word)" = "$WORD"',
            env={"WORD": word},
            inputs={"word": Input(first, "word")},
        )

    each.expand(word=["a", "b", "c"])
