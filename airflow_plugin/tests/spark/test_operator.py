"""What a DAG's author may say to the Spark operator; all else is refused before anything runs."""

import json
from typing import Any

import pytest
from airflow.sdk import DAG
from outrider_airflow import Output, SparkExecutionEnvironmentOperator


def operator(**told: Any) -> SparkExecutionEnvironmentOperator:
    with DAG("daily", schedule=None):
        return SparkExecutionEnvironmentOperator(
            **{"task_id": "sum", "image": "spark:1", "application": "/app.py", **told}
        )


def test_files_are_refused_because_executors_see_none() -> None:
    with pytest.raises(ValueError, match=r"task 'sum': mode=\"files\" is not for Spark.*executors run in others"):
        operator(mode="files")


@pytest.mark.parametrize("name", ["cmds", "arguments"])
def test_the_program_is_named_by_application(name: str) -> None:
    with pytest.raises(ValueError, match="application="):
        operator(**{name: ["sh"]})


def test_errors_name_the_task() -> None:
    with pytest.raises(ValueError, match=r"task 'sum': conf may not set spark\.master"):
        operator(conf={"spark.master": "local"})
    with pytest.raises(ValueError, match=r"task 'sum': '1 gig' is no amount"):
        operator(executor_memory="1 gig")


def test_it_is_shown_without_a_cluster(capsys: pytest.CaptureFixture[str]) -> None:
    """`dry_run` prints the driver's pod, complete but for what is known when the task runs."""
    operator(outputs={"sums": Output()}, driver_memory="2g", conf={"spark.ui.enabled": "false"}).dry_run()

    shown = capsys.readouterr().out
    assert "spark.kubernetes.executor.podTemplateFile=/var/run/outrider/spark/executor.json" in shown
    assert "spark.ui.enabled=false" in shown
    assert "2867Mi" in shown


def test_the_driver_runs_under_the_account_for_spark() -> None:
    assert operator().service_account_name == "spark"
    assert json.loads(json.dumps(operator().mode)) == "uris"
