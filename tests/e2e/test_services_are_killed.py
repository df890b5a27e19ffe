"""kill -9 of every service in the middle of a ride: nothing is missing afterwards and nothing is there twice."""

import os
import signal
import threading

from outrider_cli.demo.ride import Ride
from outrider_contracts.environments import EnvironmentSealed
from outrider_local.components import usual_components
from outrider_local.names import SERVICES
from outrider_local.runner import bring_up
from outrider_local.waiting import wait_until


def test_each_service_is_killed_and_comes_back_while_a_run_is_on(ride: Ride) -> None:
    """One success is sealed per task, one version each; OpenLineage tells one start and one end per try."""
    run_id = ride.start("flights")
    ended = threading.Event()
    killer = threading.Thread(target=_kill_in_turn, args=(ride, ended))
    killer.start()
    try:
        assert ride.await_run("flights", run_id, seconds=600) == "success"
    finally:
        ended.set()
        killer.join()
    assert not bring_up(ride.stack, usual_components(ride.stack)).failed

    wanted = {("extract", -1), ("delays", 0), ("delays", 1), ("delays", 2), ("check", -1), ("daily", -1)}
    assert wait_until(lambda: set(_successes(ride, run_id)) == wanted, seconds=90, every=1), _successes(ride, run_id)
    successes = _successes(ride, run_id)
    assert all(len(ids) == 1 for ids in successes.values()), successes


def _kill_in_turn(ride: Ride, ended: threading.Event) -> None:
    while not ended.is_set():
        for service in SERVICES:
            os.kill(ride.stack.state.now.processes[service].pid, signal.SIGKILL)
            bring_up(ride.stack, usual_components(ride.stack))
            if ended.wait(2):
                return


def _successes(ride: Ride, run_id: str) -> dict[tuple[str, int], set[str]]:
    found: dict[tuple[str, int], set[str]] = {}
    for record in ride.said(EnvironmentSealed.topic):
        if record.headers.get("ce_type") == EnvironmentSealed.type:
            sealed = EnvironmentSealed.model_validate_json(record.value)
            if sealed.task.run_id == run_id and sealed.outcome == "success":
                found.setdefault((sealed.task.task_id, sealed.task.map_index), set()).add(record.headers["ce_id"])
    return found
