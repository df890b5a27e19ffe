"""Jobs in pods that know nothing of Outrider: they find files and leave files."""

import pytest

from tests.integration.pods.crew import Crew

FLOW = """
make = ExecutionEnvironmentOperator(
    task_id="make", **JOB, cmds=["sh", "-c"], outputs={"numbers": Output()},
    arguments=["mkdir $OUTRIDER_OUTPUT_NUMBERS/deep; seq 10 > $OUTRIDER_OUTPUT_NUMBERS/deep/numbers.txt; echo made"])
add = ExecutionEnvironmentOperator(
    task_id="add", **JOB, cmds=["awk"], deferrable=DEFERRABLE, outputs={"sum": Output()},
    arguments=["{s += $1} END {print s > (ENVIRON[\\"OUTRIDER_OUTPUT_SUM\\"] \\"/sum\\")}",
               "/outrider/inputs/numbers/deep/numbers.txt"],
    inputs={"numbers": Input(task=make, output="numbers")})
"""


def test_a_job_finds_its_input_and_its_output_is_stored(crew: Crew) -> None:
    """awk knows nothing of Airflow, S3 or Outrider."""
    flight = crew.dag("DEFERRABLE = False" + FLOW)

    made, added = flight.run("make"), flight.run("add")

    assert (made.state, added.state) == ("success", "success"), made.log + added.log
    assert flight.outputs("add")["sum/g1/sum"] == b"55\n"
    assert "sum/g1/_manifest.json" in flight.outputs("add")
    assert "stored 1 outputs" in made.log


def test_a_deferred_task_waits_for_the_upload_too(crew: Crew) -> None:
    """The triggerer's word comes once the pod is over; what is sealed is what the other operator would seal."""
    flight = crew.dag("DEFERRABLE = True" + FLOW)

    flight.run("make")
    added = flight.run("add")

    assert added.state == "success", added.log
    assert "deferred to outrider_airflow.pod.trigger.EnvironmentPodTrigger" in added.log
    assert flight.outputs("add")["sum/g1/sum"] == b"55\n"


FAILURES = """
refused = ExecutionEnvironmentOperator(
    task_id="refused", **JOB, cmds=["sh", "-c"], outputs={"x": Output()},
    arguments=["ln -s /etc/passwd $OUTRIDER_OUTPUT_X/stolen"])
failing = ExecutionEnvironmentOperator(
    task_id="failing", **JOB, cmds=["sh", "-c"], outputs={"x": Output()},
    arguments=["echo partly > $OUTRIDER_OUTPUT_X/a; echo no disk >&2; exit 75"])
skipping = ExecutionEnvironmentOperator(
    task_id="skipping", **JOB, cmds=["sh", "-c"], arguments=["exit 99"], outputs={"x": Output()},
    skip_on_exit_code=99)
"""


def test_a_failed_upload_fails_the_task_with_the_stagers_word(crew: Crew) -> None:
    """Though the job ended well, and Kubernetes calls the pod Succeeded."""
    refused = crew.dag(FAILURES).run("refused")

    assert refused.state == "failed"
    assert "symbolic link" in refused.error


def test_a_job_that_asks_for_room_gets_a_node_with_room(crew: Crew) -> None:
    flight = crew.dag(
        """
        ExecutionEnvironmentOperator(
            task_id="roomy", **JOB, cmds=["sh", "-c", "echo 1 > $OUTRIDER_OUTPUT_ONE/one"], outputs={"one": Output()},
            workspace={"size": "20Mi"}, schedule_timeout_seconds=90)
        """
    )

    roomy = flight.run("roomy")

    assert roomy.state == "success", roomy.log


def test_a_failed_job_says_how_and_what_it_said_last(crew: Crew) -> None:
    """As the local operator does; what it wrote is stored all the same."""
    flight = crew.dag(FAILURES)
    failed = flight.run("failing")

    assert failed.error == "the job ended with exit code 75; its last lines:\nno disk"
    assert flight.outputs("failing")["x/g1/a"] == b"partly\n"


def test_an_exit_code_may_mean_nothing_to_do(crew: Crew) -> None:
    assert crew.dag(FAILURES).run("skipping").state == "skipped"


LANGUAGES = """
for name, command in {
    "python": ["python3", "-c", "import os; print(6 * 7, file=open(os.environ['OUTRIDER_OUTPUT_X'] + '/n', 'w'))"],
    "shell": ["sh", "-c", "echo $((6 * 7)) > $OUTRIDER_OUTPUT_X/n"],
    "perl": ["perl", "-e", "open F, '>', $ENV{OUTRIDER_OUTPUT_X} . '/n'; print F 6 * 7, qq{\\n}"],
}.items():
    ExecutionEnvironmentOperator(task_id=name, **JOB, cmds=command, outputs={"x": Output()})
    LocalExecutionEnvironmentOperator(task_id=name + "-local", command=command, outputs={"x": Output()})
"""


def test_any_language_writes_the_same_in_a_pod_and_beside_the_worker(crew: Crew) -> None:
    """No job has any code of Outrider's in it."""
    flight = crew.dag(LANGUAGES)

    for name in ("python", "shell", "perl"):
        in_pod, local = flight.run(name), flight.run(f"{name}-local")
        assert (in_pod.state, local.state) == ("success", "success"), in_pod.log + local.log
        assert flight.outputs(name) == flight.outputs(f"{name}-local")
        assert flight.outputs(name)["x/g1/n"] == b"42\n"


FUNCTION = """
from airflow.sdk import task

@task.outrider(**JOB, outputs={"words": Output()}, deferrable=DEFERRABLE)
def spell(words, times):
    import os
    from pathlib import Path

    Path(os.environ["OUTRIDER_OUTPUT_WORDS"], "words").write_text(" ".join(words * times))
    return {"count": len(words) * times, "left alone": "$(HOME) $$"}

spell(["one", "$(HOME)"], times=2)
"""


@pytest.mark.parametrize("deferrable", [False, True])
def test_a_function_is_a_job_in_a_pod_and_what_it_returns_is_pushed(crew: Crew, deferrable: bool) -> None:
    """The image has Python and nothing of Airflow; what it returns comes by Airflow's sidecar, its file by ours."""
    flight = crew.dag(f"DEFERRABLE = {deferrable}" + FUNCTION)

    spelt = flight.run("spell")

    assert spelt.state == "success", spelt.log
    assert spelt.result == {"count": 4, "left alone": "$(HOME) $$"}
    assert flight.outputs("spell")["words/g1/words"] == b"one $(HOME) one $(HOME)"
