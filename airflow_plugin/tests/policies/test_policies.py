"""The policies on real DAGs, and what of declarations reaches the scheduler."""

import re
from typing import Any

import pytest
from airflow.exceptions import AirflowClusterPolicyViolation
from airflow.sdk import DAG, BaseOperator, TaskGroup, task, task_group
from airflow.serialization.serialized_objects import DagSerialization
from outrider_airflow import (
    Input,
    LocalExecutionEnvironmentOperator,
    Output,
    Source,
    SparkExecutionEnvironmentOperator,
)
from outrider_airflow.declared import declaration
from outrider_airflow.graph import CHUNK_BYTES, declared_tasks, graph
from outrider_airflow.policies import dag_policy
from outrider_contracts.declarations import OutputDeclaration, TaskDeclaration
from outrider_contracts.keys import RunKey


class Declaring(BaseOperator):
    """An operator that takes declarations, without a job."""

    template_fields = ("inputs", "outputs", "sources", "destinations", "mode", "word")

    def __init__(self, *, inputs: Any = None, outputs: Any = None, sources: Any = None, word: str = "", **rest: Any):
        super().__init__(**rest)
        self.inputs, self.outputs, self.sources = inputs or {}, outputs or {}, sources or {}
        self.destinations: dict[str, Any] = {}
        self.mode, self.word = "files", word


def dag() -> DAG:
    return DAG("daily", schedule=None)


def serialized(written: DAG) -> Any:
    """The DAG as the scheduler has it."""
    return DagSerialization.from_dict(DagSerialization.to_dict(written))


def test_a_declared_input_becomes_an_edge_that_the_scheduler_sees() -> None:
    with dag() as written:
        extract = Declaring(task_id="extract", outputs={"orders": Output()})
        Declaring(task_id="report", inputs={"orders": Input(extract, "orders")})

    dag_policy(written)

    assert serialized(written).task_dict["extract"].downstream_task_ids == {"report"}


def test_declarations_reach_the_scheduler_from_plain_grouped_and_mapped_tasks() -> None:
    with dag() as written:
        Declaring(task_id="extract", outputs={"orders": Output(retention="7d")}, sources={"raw": Source("db")})
        with TaskGroup("load"):
            Declaring(task_id="one", inputs={"orders": Input("extract", "orders")})
        Declaring.partial(task_id="part", inputs={"orders": Input("extract", "orders")}).expand(word=["a", "b"])

        @task_group
        def each(word: str) -> None:
            Declaring(task_id="inner", word=word, outputs={"x": Output()})

        each.expand(word=["a", "b"])
        Declaring(task_id="nothing")

    dag_policy(written)
    tasks = {told.task_id: told for told in declared_tasks(serialized(written))}

    assert tasks.keys() == {"extract", "load.one", "part", "each.inner"}
    assert {task_id for task_id, told in tasks.items() if told.mapped} == {"part", "each.inner"}
    assert tasks["extract"].outputs["orders"] == OutputDeclaration(retention="7d")
    assert tasks["part"].inputs["orders"].task == "extract"


@pytest.mark.parametrize("name", ["inputs", "outputs"])
def test_declarations_can_not_be_expanded(name: str) -> None:
    with dag() as written:
        Declaring.partial(task_id="part").expand(**{name: [{}, {}]})

    with pytest.raises(AirflowClusterPolicyViolation, match=rf"\.partial\({name}=…\)"):
        dag_policy(written)


def test_declarations_can_not_be_expanded_by_keyword_arguments_either() -> None:
    with dag() as written:
        Declaring.partial(task_id="part").expand_kwargs([{"word": "a", "outputs": {}}])

    with pytest.raises(AirflowClusterPolicyViolation, match="outputs can't be expanded"):
        dag_policy(written)


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"outputs": {"orders": {"retention": "7 days"}}}, "'7 days' is no duration"),
        ({"outputs": {"my orders": Output()}}, "'my orders' is no name"),
        ({"inputs": ["orders"]}, "inputs must be a dict"),
        ({"inputs": {"orders": Input("x", "y", team="news")}}, "needs its dag too"),
    ],
)
def test_a_malformed_declaration_is_refused_in_its_authors_words(told: dict[str, Any], words: str) -> None:
    with dag() as written:
        Declaring(task_id="report", **told)

    with pytest.raises(AirflowClusterPolicyViolation, match=words) as refusal:
        dag_policy(written)

    assert "DAG 'daily', task 'report'" in str(refusal.value)


@pytest.mark.parametrize("mapped", [False, True])
@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"outputs": ["o"]}, "outputs must be a dict, write outputs={'o': Output()}"),
        ({"inputs": ["o"]}, "inputs must be a dict, write inputs={'o': Input('task', 'output')}"),
        ({"outputs": {"o": "7d"}}, "outputs 'o' can't be '7d', write outputs={'o': Output(retention='7d')}"),
        ({"sources": {"raw": "db"}}, "sources 'raw' can't be 'db', write sources={'raw': Source('db')}"),
        ({"workspace": "10Gi"}, "workspace can't be '10Gi', write workspace={'size': '10Gi'}"),
        ({"stage_in_timeout": "soon"}, "stage_in_timeout: 'soon' is no duration"),
        ({"upload_timeout": 30}, "upload_timeout: '30' is no duration"),
        ({"env_vars": {"OUTRIDER_TEAM": "x"}}, "env_vars may not set 'OUTRIDER_TEAM'"),
        ({"executors": 0}, "executors must be a whole number"),
        ({"mode": "files"}, 'mode="files" is not for Spark'),
    ],
)
def test_what_no_instance_could_be_is_refused_when_the_file_is_read(
    told: dict[str, Any], words: str, *, mapped: bool
) -> None:
    """Airflow makes the instances of a mapped task when they run; what is said of all of them is known before."""

    def write() -> None:
        with dag() as written:
            if mapped:
                partial = SparkExecutionEnvironmentOperator.partial(task_id="report", image="spark", **told)
                partial.expand(application=["a.py", "b.py"])
            else:
                SparkExecutionEnvironmentOperator(task_id="report", image="spark", application="a.py", **told)
        dag_policy(written)

    with pytest.raises((AirflowClusterPolicyViolation, ValueError)) as refusal:
        write()

    assert str(refusal.value).startswith("DAG 'daily', task 'report': " if mapped else "task 'report': ")
    assert words in str(refusal.value)


def test_a_mapped_function_s_declarations_are_looked_at_alike() -> None:
    with dag() as written, TaskGroup("load"):

        @task.outrider(outputs={"o": "7d"})
        def report(word: str) -> None:
            """Nothing."""

        report.expand(word=["a", "b"])

    with pytest.raises(
        AirflowClusterPolicyViolation, match=r"DAG 'daily', task 'load\.report': outputs 'o' can't be '7d'"
    ):
        dag_policy(written)


def test_what_is_not_known_of_a_mapped_task_yet_is_no_error() -> None:
    """Its values may be another task's result; a function's arguments are Airflow's business."""
    with dag() as written:

        @task
        def makes() -> list[str]:
            return []

        @task.outrider
        def one(word: str) -> None:
            """Nothing."""

        one.expand(word=["a", "b"])
        made: Any = makes()
        LocalExecutionEnvironmentOperator.partial(task_id="told").expand(command=made)
        LocalExecutionEnvironmentOperator.partial(task_id="each", command="true").expand(params=made)
        LocalExecutionEnvironmentOperator.partial(task_id="all", command="true").expand_kwargs(made)

    dag_policy(written)

    assert written.task_dict.keys() == {"makes", "one", "told", "each", "all"}
    assert written.get_task("makes").downstream_task_ids == {"told", "each", "all"}


def test_a_dag_that_declares_nothing_is_left_alone() -> None:
    with dag() as written:
        BaseOperator(task_id="plain")

    dag_policy(written)

    assert declared_tasks(serialized(written)) == ()


def test_a_large_graph_is_said_in_chunks_that_fit_a_record() -> None:
    outputs = {f"output_{number}": OutputDeclaration(retention="7d") for number in range(20)}
    tasks = [TaskDeclaration(task_id=f"task_{number}", outputs=outputs) for number in range(1000)]
    run = RunKey(team="ads", dag_id="daily", run_id="r1")

    said = graph(run, "v1", tasks)

    assert len(said) > 1
    assert [(chunk.chunk, chunk.chunks) for chunk in said] == [(at, len(said)) for at in range(len(said))]
    assert [task.task_id for chunk in said for task in chunk.tasks] == [task.task_id for task in tasks]
    assert all(len(chunk.model_dump_json()) < CHUNK_BYTES + 4096 for chunk in said)


def test_inputs_of_mapped_and_grouped_and_decorated_tasks_are_edges() -> None:
    """A declared input is a dependency whatever form its task has."""
    with dag() as written:
        extract = Declaring(task_id="extract", outputs={"orders": Output()})

        @task.outrider(inputs={"orders": Input(extract, "orders")}, outputs={"clean": Output()})
        def clean() -> None:
            """Nothing."""

        cleaned = clean()
        with TaskGroup("load"):
            Declaring.partial(task_id="part", inputs={"clean": Input(cleaned, "clean")}).expand(word=["a", "b"])

    dag_policy(written)

    tasks = serialized(written).task_dict
    assert tasks["extract"].downstream_task_ids == {"clean"}
    assert tasks["clean"].downstream_task_ids == {"load.part"}


def test_within_a_mapped_group_an_instance_reads_its_own_part() -> None:
    """From outside the group all parts are read; the scheduler sees what the task sees."""
    with dag() as written:

        @task_group
        def each(word: str) -> None:
            first = Declaring(task_id="first", word=word, outputs={"x": Output()})
            Declaring(task_id="second", word=word, inputs={"x": Input(first, "x")})

        each.expand(word=["a", "b"])
        Declaring(task_id="all", inputs={"x": Input("each.first", "x")})

    dag_policy(written)

    told = {one.task_id: one for one in declared_tasks(serialized(written))}
    assert told["each.second"].inputs["x"].part == "own"
    assert told["all"].inputs["x"].part == "all"
    assert declaration(written.get_task("each.second")).inputs["x"].part == "own"


def test_a_task_that_seals_may_tell_airflow_and_a_mapped_one_may_not() -> None:
    """Parts are no versions of the whole. Applying the policy again, as every task process does, adds nothing."""
    with dag() as written:
        Declaring(task_id="extract", outputs={"orders": Output()})
        Declaring.partial(task_id="part", outputs={"x": Output()}).expand(word=["a", "b"])

    dag_policy(written)
    dag_policy(written)

    assert [alias.name for alias in written.get_task("extract").outlets] == ["outrider:daily/extract"]
    assert not serialized(written).task_dict["part"].outlets


def test_a_task_that_may_be_put_off_is_started_again_when_it_is_time() -> None:
    """Airflow 3.3 looks at the time of a put-off task only where it takes it for a sensor."""
    with dag() as written:
        extract = LocalExecutionEnvironmentOperator(task_id="extract", command="true", outputs={"x": Output()})
        waiting = {"x": Input(extract, "x", wait="2h")}
        LocalExecutionEnvironmentOperator(task_id="one", command="true", inputs=waiting)
        many = LocalExecutionEnvironmentOperator.partial(task_id="many", command="true", inputs=waiting)
        many.expand(params=[{}, {}])

    dag_policy(written)

    for task_id in ("one", "many"):
        deps = {type(dep).__name__ for dep in serialized(written).task_dict[task_id].deps}
        assert "ReadyToRescheduleDep" in deps, task_id


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"inputs": {"orders": Input("x", "y", dag="d", wait="soon")}}, "'soon' is no duration"),
        ({"outputs": {"orders": Output(format="two words")}}, "'two words' is no format"),
        ({"outputs": {"a-b": Output(), "A_b": Output()}}, "would share the variable …_A_B; rename one"),
        ({"inputs": {"orders": Input("x", "y", dag="d", run="same")}}, 'use run="latest" or run="same-date"'),
        ({"inputs": {"orders": Input("nobody", "y")}}, "this DAG has no task 'nobody'"),
        ({"inputs": {"orders": Input("report", "y")}, "outputs": {"y": Output()}}, "turn the dependency round"),
    ],
)
def test_what_can_not_hold_is_refused_when_the_file_is_read(told: dict[str, Any], words: str) -> None:
    with dag() as written:
        Declaring(task_id="report", **told)

    with pytest.raises(AirflowClusterPolicyViolation, match=re.escape(words)):
        dag_policy(written)
