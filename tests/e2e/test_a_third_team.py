"""A third team comes on board while the stack runs, with a DAG of its own."""

import subprocess
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


FROM_GIT = """
apiVersion: outrider/v1
kind: Team
metadata: {name: finance}
spec: {airflow: {bundle: {git: "file://REPOSITORY", ref: live}}}
"""


def test_a_team_whose_dags_lie_in_git_is_onboarded_and_a_run_keeps_its_commit(ride: Ride, tmp_path: Path) -> None:
    """Nothing is copied by hand: the branch it names is fetched, and what is pushed later is taken up."""
    before = {name: ride.stack.state.now.processes[name].pid for name in ("airflow-scheduler", "airflow-api")}
    repository = tmp_path / "dags"
    dag = (Path(__file__).parents[2] / "examples" / "first_dag.py").read_text()
    _commit(repository, dag.replace('"hello"', '"books"'))
    (tmp_path / "finance.yaml").write_text(FROM_GIT.replace("REPOSITORY", str(repository)))
    ride.onboard(tmp_path / "finance.yaml")

    run_id = ride.start("books")

    assert ride.await_run("books", run_id) == "success"
    assert {name: ride.stack.state.now.processes[name].pid for name in before} == before
    assert wait_until(lambda: _told(ride, run_id, "finance", "books") == {"make", "add"}, seconds=30, every=0.5)

    _commit(repository, dag.replace('"hello"', '"ledger"'))

    assert ride.await_run("ledger", ride.start("ledger")) == "success"


def _commit(repository: Path, dag: str) -> None:
    """The one file of branch `live` is *dag* from now on."""
    repository.mkdir(exist_ok=True)
    (repository / "dag.py").write_text(dag)
    who = ("-c", "user.name=test", "-c", "user.email=test@example.org")
    for arguments in (("init", "-q", "-b", "live"), ("add", "dag.py"), (*who, "commit", "-q", "-m", "dag")):
        subprocess.run(("git", "-C", str(repository), *arguments), check=True)


def _told(ride: Ride, run_id: str, team: str = "sales", dag_id: str = "hello") -> set[str]:
    answer = ride.ask("storage", "/v1/environments", team=team, dag_id=dag_id, run_id=run_id)
    return {e["task"]["task_id"] for e in answer["environments"] if e["state"] == "sealed"}
