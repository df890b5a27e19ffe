"""Jobs in pods that know nothing of Outrider: they find files and leave files."""

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
