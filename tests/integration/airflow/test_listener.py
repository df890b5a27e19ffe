"""What the listener says of real runs on a real broker."""

from outrider_contracts.airflow import (
    AirflowEvent,
    AssetUpdated,
    GraphDeclared,
    RunFinished,
    RunReopened,
    RunStarted,
    TaskFinished,
    TaskStarted,
)

from tests.integration.airflow.riding import Riding, of

DECLARING = """
from airflow.sdk import DAG, Asset, BaseOperator, task
from outrider_airflow import Input, Output, Source

class Declaring(BaseOperator):
    template_fields = ("inputs", "outputs", "sources", "destinations", "mode", "word")

    def __init__(self, *, inputs=None, outputs=None, sources=None, word="", **kwargs):
        super().__init__(**kwargs)
        self.inputs, self.outputs, self.sources = inputs or {}, outputs or {}, sources or {}
        self.destinations, self.mode, self.word = {}, "files", word

    def execute(self, context):
        return None
"""


def test_a_run_is_told_from_its_graph_to_its_end(riding: Riding) -> None:
    """One run with a mapped task, a retry, and an asset; every telling carries the same start of the run."""
    riding.drop_dag(
        "ads",
        "told",
        DECLARING
        + """
with DAG("told", schedule=None):
    extract = Declaring(task_id="extract", outputs={"orders": Output(retention="7d")}, sources={"raw": Source("db")})
    Declaring(task_id="report", inputs={"orders": Input(task="extract", output="orders")})
    Declaring.partial(task_id="part", inputs={"orders": Input(extract, "orders")}).expand(word=["a", "b"])

    @task(retries=1, retry_delay=0, outlets=[Asset("told", uri="s3://told/asset")])
    def flaky(ti=None):
        if ti.try_number == 1:
            raise ValueError("row 17 is broken")
    flaky()
""",
    )

    run = riding.ride("told")
    heard = riding.hear(run, lambda facts: len(of(TaskFinished, facts)) == 6 and bool(of(RunFinished, facts)))

    (started,) = of(RunStarted, heard)
    (graph,) = of(GraphDeclared, heard)
    (finished,) = of(RunFinished, heard)
    tries = {(f.task.task_id, f.task.map_index, f.task.try_number): f for f in of(TaskFinished, heard)}
    tries_begun = {(f.task.task_id, f.task.map_index, f.task.try_number): f for f in of(TaskStarted, heard)}
    assert (started.run.team, started.team_rule, started.bundle) == ("ads", "multi-team", "ads")
    assert {task.task_id: task.mapped for task in graph.tasks} == {"extract": False, "report": False, "part": True}
    assert graph.dag_version == started.dag_version
    assert finished.state == "success"
    assert tries.keys() == tries_begun.keys()
    assert {key: fact.state for key, fact in tries.items()} == {
        ("extract", -1, 1): "success",
        ("report", -1, 1): "success",
        ("part", 0, 1): "success",
        ("part", 1, 1): "success",
        ("flaky", -1, 1): "up_for_retry",
        ("flaky", -1, 2): "success",
    }
    error = tries["flaky", -1, 1].error
    assert error is not None
    assert error.error_class == "ValueError"
    assert {fact.run_started_at for fact in heard if hasattr(fact, "run_started_at")} == {started.run_started_at}
    assert tries_begun["report", -1, 1].started_at > tries["extract", -1, 1].finished_at  # the edge nobody drew
    told = tries_begun["part", 1, 1].declaration
    assert told is not None
    assert told.mapped
    assert [(fact.name, fact.uri) for fact in of(AssetUpdated, heard)] == [("told", "s3://told/asset")]
    assert len({fact.id for fact in heard}) == len(heard)


def test_a_cleared_task_reopens_its_run(riding: Riding) -> None:
    """Airflow sets the run's start anew when a finished run is cleared; the fact says that it is the same run."""
    riding.drop_dag("ads", "cleared", DECLARING + 'with DAG("cleared", schedule=None):\n    Declaring(task_id="one")\n')
    run = riding.ride("cleared")
    riding.hear(run, lambda facts: bool(of(RunFinished, facts)))

    riding.user.clear("cleared", run, "one")
    # a task tells its end once Airflow has it on record: the scheduler may have told the run's by then
    heard = riding.hear(run, lambda facts: len(of(RunFinished, facts)) == 2 and tries_ended(facts) == {1, 2})

    (reopened,) = of(RunReopened, heard)
    assert reopened.clear_number == 1
    assert [fact.clear_number for fact in of(RunFinished, heard)] == [0, 1]
    assert tries_ended(heard) == {1, 2}


def tries_ended(facts: list[AirflowEvent]) -> set[int]:
    return {fact.task.try_number for fact in of(TaskFinished, facts)}


def test_what_cannot_hold_is_an_import_error_that_says_what_to_write(riding: Riding) -> None:
    riding.drop_dag(
        "ads",
        "refused",
        DECLARING
        + """
with DAG("refused", schedule=None):
    Declaring(task_id="extract", outputs={"orders": Output()})
    Declaring(task_id="report", inputs={"orders": Input(task="extract", output="order")})
""",
    )

    (refusal,) = riding.refusals("refused.py")
    assert "task 'extract' has no output 'order'" in refusal
    assert "Did you mean 'orders'?" in refusal


def test_a_tag_that_contradicts_the_platform_is_refused(riding: Riding) -> None:
    riding.drop_dag(
        "ads",
        "tagged",
        DECLARING + 'with DAG("tagged", schedule=None, tags=["team:news"]):\n    Declaring(task_id="a")\n',
    )

    (refusal,) = riding.refusals("tagged.py")
    assert "this DAG belongs to team ads" in refusal


def test_what_a_person_does_in_the_ui_is_told_for_the_right_team(riding: Riding) -> None:
    """The API server tells it, which has neither the parsed DAG nor its team at hand."""
    riding.drop_dag(
        "ads",
        "by_hand",
        """
from airflow.sdk import DAG, task

with DAG("by_hand", schedule=None):
    @task.sensor(poke_interval=1, mode="reschedule")
    def wait():
        return False
    wait()
""",
    )
    run = riding.user.trigger("by_hand")
    riding.hear(run, lambda facts: bool(of(TaskStarted, facts)))

    riding.user.mark_run("by_hand", run, "failed")
    heard = riding.hear(run, lambda facts: bool(of(RunFinished, facts)))

    assert len(of(TaskStarted, heard)) == 1  # however often it looked again
    (finished,) = of(RunFinished, heard)
    assert (finished.run.team, finished.state) == ("ads", "failed")
    assert finished.run_started_at == of(RunStarted, heard)[0].run_started_at
