"""Tasks as pods of their team under a whole Airflow, disturbed in the middle of their work."""

import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from outrider_cli.demo.ride import Ride
from outrider_contracts.environments import EnvironmentSealed
from outrider_contracts.names import DerivedNames
from outrider_local.components import usual_components
from outrider_local.kubernetes import node
from outrider_local.runner import bring_up
from outrider_local.waiting import wait_until

from tests.e2e.support import cluster_of

SECONDS = 240


@dataclass(frozen=True)
class Flight:
    """A run whose pod is at work."""

    ride: Ride
    cluster: httpx.Client
    dag_id: str
    run_id: str

    @property
    def pods(self) -> list[dict[str, Any]]:
        """Those of the DAG that there are now."""
        of_team = self.cluster.get(f"namespaces/{DerivedNames('ops').namespace}/pods").json()["items"]
        return [pod for pod in of_team if pod["metadata"]["labels"].get("dag_id") == self.dag_id]

    def await_work(self) -> dict[str, Any]:
        """The pod, as soon as its job is at work."""
        assert wait_until(lambda: any(map(_works, self.pods)), seconds=SECONDS, every=0.5), self.pods
        return next(filter(_works, self.pods))

    def sealed(self) -> list[tuple[int, str]]:
        """Tries and outcomes, as storage told of them."""
        found = [
            EnvironmentSealed.model_validate_json(record.value)
            for record in self.ride.said(EnvironmentSealed.topic)
            if record.headers.get("ce_type") == EnvironmentSealed.type
        ]
        return sorted((s.task.try_number, s.outcome) for s in found if s.task.run_id == self.run_id)


def _works(pod: dict[str, Any]) -> bool:
    states: Sequence[dict[str, Any]] = pod["status"].get("containerStatuses", [])
    return any(state["name"] == "base" and "running" in state["state"] for state in states)


@pytest.fixture
def flight(ride: Ride, request: pytest.FixtureRequest) -> Iterator[Flight]:
    if not node.claimed(ride.stack):
        pytest.skip("a node for pods needs root")
    dag_id = str(request.param)
    with cluster_of(ride) as cluster:
        yield Flight(ride, cluster, dag_id, ride.start(dag_id))


@pytest.mark.parametrize("flight", ["pods", "pods_deferred"], indirect=True)
def test_a_pod_that_is_taken_away_fails_its_try_and_the_next_one_has_a_pod_of_its_own(flight: Flight) -> None:
    first = flight.await_work()["metadata"]
    path = f"namespaces/{first['namespace']}/pods/{first['name']}"
    gone = flight.cluster.delete(path, params={"gracePeriodSeconds": 0})

    assert gone.is_success
    assert flight.ride.await_run(flight.dag_id, flight.run_id, seconds=SECONDS) == "success"
    assert wait_until(lambda: flight.sealed() == [(1, "failed"), (2, "success")], seconds=60, every=1), flight.sealed()
    assert wait_until(lambda: not flight.pods, seconds=60, every=1), flight.pods


@pytest.mark.parametrize("flight", ["pods"], indirect=True)
def test_the_try_after_a_killed_worker_goes_on_with_its_pod(flight: Flight) -> None:
    """Airflow misses the worker's heartbeats; the pod never stopped, and what it stored counts as its own try's."""
    flight.await_work()
    workers = _workers(flight.run_id)
    assert workers
    for pid in workers:
        with suppress(ProcessLookupError):  # it ended with the one before
            os.kill(pid, signal.SIGKILL)

    assert flight.ride.await_run(flight.dag_id, flight.run_id, seconds=SECONDS) == "success"
    assert [task.try_number for task in flight.ride.airflow.tasks(flight.dag_id, flight.run_id)] == [2]
    assert wait_until(lambda: flight.sealed() == [(1, "success")], seconds=60, every=1), flight.sealed()
    assert wait_until(lambda: not flight.pods, seconds=60, every=1), flight.pods


@pytest.mark.parametrize("flight", ["pods"], indirect=True)
def test_kubelet_and_storage_die_while_a_pod_works_and_nothing_is_lost(flight: Flight) -> None:
    flight.await_work()
    stack = flight.ride.stack
    for name in ("storage", node.KUBELET):
        os.kill(stack.state.now.processes[name].pid, signal.SIGKILL)
    assert not bring_up(stack, usual_components(stack)).failed

    assert flight.ride.await_run(flight.dag_id, flight.run_id, seconds=SECONDS) == "success"
    assert wait_until(lambda: flight.sealed() == [(1, "success")], seconds=60, every=1), flight.sealed()


def _workers(run_id: str) -> list[int]:
    """The processes that carry the run's task: those that write its log, and their children."""
    writers = [
        int(process.name)
        for process in Path("/proc").glob("[0-9]*")
        if any(f"run_id={run_id}/" in place for place in _open_files(process))
    ]
    return [pid for writer in writers for pid in (writer, *_children(writer))]


def _open_files(process: Path) -> Iterator[str]:
    """Where they lie; one that is closed meanwhile hides no other."""
    with suppress(OSError):
        for file in (process / "fd").iterdir():
            with suppress(OSError):
                yield os.readlink(file)


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
