"""A third team comes on board while the stack runs, with a DAG of its own."""

from pathlib import Path

from outrider_cli.demo.ride import Ride
from outrider_local.waiting import wait_until

TEAM = """
apiVersion: outrider/v1
kind: Team
metadata: {name: sales}
spec: {displayName: Sales}
"""


def test_a_third_team_is_onboarded_and_its_first_dag_runs(ride: Ride, tmp_path: Path) -> None:
    """The README's DAG runs in the new team's bundle; scheduler and API server are the same processes as before."""
    before = {name: ride.stack.state.now.processes[name].pid for name in ("airflow-scheduler", "airflow-api")}
    (tmp_path / "sales.yaml").write_text(TEAM)
    ride.onboard(tmp_path / "sales.yaml")
    dag = Path(__file__).parents[2] / "examples" / "first_dag.py"
    (ride.stack.layout.bundles / "sales" / "first_dag.py").write_text(dag.read_text())

    run_id = ride.start("hello")

    assert ride.await_run("hello", run_id) == "success"
    assert {name: ride.stack.state.now.processes[name].pid for name in before} == before
    assert wait_until(lambda: _told(ride, run_id) == {"make", "add"}, seconds=30, every=0.5)


def _told(ride: Ride, run_id: str) -> set[str]:
    answer = ride.ask("storage", "/v1/environments", team="sales", dag_id="hello", run_id=run_id)
    return {e["task"]["task_id"] for e in answer["environments"] if e["state"] == "sealed"}
