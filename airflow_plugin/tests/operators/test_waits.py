"""Waiting for what is not sealed yet: without a worker, bounded, and refused where it may never be read."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from airflow.sdk import TaskGroup
from airflow.sdk.exceptions import AirflowRescheduleException, AirflowSkipException, TaskDeferred
from airflow.triggers.base import TriggerEvent
from operators.running import context, dag, execute, outrider_connection, resume
from operators.stand_in import Answer, StandIn
from outrider_airflow import Input, LocalExecutionEnvironmentOperator, OutputSensor, waits
from outrider_airflow.connection import StorageAccess, storage_access_async
from outrider_airflow.errors import EnvironmentRefused, EnvironmentUnavailable
from outrider_airflow.waits import WAITED, OutputSealedTrigger
from outrider_contracts.declarations import InputDeclaration
from outrider_contracts.http import OutputRequest
from outrider_contracts.keys import TaskKey

NOW = datetime(2026, 11, 1, tzinfo=UTC)
DAILY = Input(dag="flights", task="daily", output="daily", team="ops", wait="2h")
NOT_GRANTED: Answer = (409, {"error": {"code": "not-granted", "message": "no grant", "fix": "grant it"}})
NOT_YET: Answer = (202, {"waiting_for": "a sealed version of flights/daily/daily", "retry_after_seconds": 5})


def put_off(until: datetime, every: int = 60) -> Answer:
    return 202, {
        "waiting_for": "input 'daily'", "retry_after_seconds": every, "input": "daily", "until": until.isoformat(),
    }  # fmt: skip


@pytest.fixture(autouse=True)
def connection(storage: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    """The team's."""
    monkeypatch.setenv("AIRFLOW_CONN_OUTRIDER", outrider_connection(storage))


def reader(**more: Any) -> LocalExecutionEnvironmentOperator:
    with dag():
        return LocalExecutionEnvironmentOperator(task_id="load", command=["true"], inputs={"daily": DAILY}, **more)


def sensor(**more: Any) -> OutputSensor:
    with dag():
        return OutputSensor(task_id="await", awaited=DAILY, poke_interval=0.01, **more)


def fired(storage: StandIn, **more: Any) -> dict[str, Any]:
    """What the trigger says in the end."""
    request = OutputRequest(
        reader=TaskKey(team="ads", dag_id="daily", run_id="r", task_id="load"), run_started_at=NOW, run_after=NOW,
        input=InputDeclaration.model_validate(DAILY),
    )  # fmt: skip
    trigger = OutputSealedTrigger(request.model_dump(mode="json"), 0.01, **more)
    _, again = trigger.serialize()

    async def first() -> TriggerEvent:
        return await anext(aiter(OutputSealedTrigger(**again).run()))

    return cast("dict[str, Any]", asyncio.run(first()).payload)


def test_a_task_whose_input_may_wait_leaves_its_worker(storage: StandIn) -> None:
    """It is put off for as long as storage says, and nothing is sealed."""
    storage.ready["ensure"].append(put_off(datetime.now(UTC) + timedelta(hours=2)))

    with pytest.raises(AirflowRescheduleException) as put:
        execute(reader())

    assert timedelta(seconds=50) < put.value.reschedule_date - datetime.now(UTC) <= timedelta(seconds=60)
    assert storage.seals() == []
    assert [act for act, _ in storage.asked] == ["ensure"]


def test_a_task_is_put_off_for_half_a_minute_at_least(storage: StandIn) -> None:
    """One that begins again sooner may meet the executor's late word of its last process, and Airflow fails it then."""
    storage.ready["ensure"].append(put_off(datetime.now(UTC) + timedelta(minutes=1), every=1))

    with pytest.raises(AirflowRescheduleException) as put:
        execute(reader())

    assert put.value.reschedule_date - datetime.now(UTC) > timedelta(seconds=25)


def test_a_deferrable_one_waits_in_the_triggerer_and_asks_for_its_environment_again(storage: StandIn) -> None:
    """Any operator that has `deferrable=True`, as a pod's has."""

    class Deferrable(LocalExecutionEnvironmentOperator):
        deferrable = True

    with dag():
        task = Deferrable(task_id="load", command=["true"], inputs={"daily": DAILY})
    until = datetime.now(UTC) + timedelta(hours=2)
    storage.ready["ensure"].append(put_off(until))

    with pytest.raises(TaskDeferred) as deferred:
        execute(task)

    trigger = cast("OutputSealedTrigger", deferred.value.trigger)
    assert trigger.request["input"]["team"] == "ops"
    assert (trigger.every, trigger.until) == (60, until.isoformat())
    resume(task, WAITED, {"sealed": True, "refused": ""})
    assert [act for act, _ in storage.asked] == ["ensure", "ensure", "seal"]
    assert deferred.value.method_name == WAITED


def test_the_trigger_fires_when_the_output_is_sealed(storage: StandIn) -> None:
    """A storage that is away in between is waited for."""
    storage.ready["sealed"] += [NOT_YET, NOT_YET]

    assert fired(storage) == {"sealed": True, "refused": ""}
    assert len([act for act, _ in storage.asked if act == "sealed"]) == 3


def test_the_trigger_ends_when_its_time_is_over(storage: StandIn) -> None:
    storage.ready["sealed"] += [NOT_YET] * 1000

    assert fired(storage, until=(datetime.now(UTC) + timedelta(seconds=0.2)).isoformat()) == {
        "sealed": False, "refused": "",
    }  # fmt: skip


def test_the_trigger_says_that_it_may_never_be_read(storage: StandIn) -> None:
    storage.ready["sealed"].append(NOT_GRANTED)

    assert "no grant" in fired(storage)["refused"]


def test_a_sensor_waits_until_it_is_there(storage: StandIn) -> None:
    """It asks what its own run could read, and takes nothing."""
    storage.ready["sealed"] += [NOT_YET, NOT_YET]

    execute(sensor())

    asked = [body for act, body in storage.asked if act == "sealed"]
    assert len(asked) == 3
    assert asked[-1]["reader"]["dag_id"] == "daily"
    assert asked[-1]["input"]["dag"] == "flights"


def test_while_airflow_gives_no_connection_a_sensor_waits_and_a_task_may_be_retried(
    storage: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its SDK tells an API server that restarts and a connection that is not there alike."""
    monkeypatch.delenv("AIRFLOW_CONN_OUTRIDER")

    assert not sensor().poke(context(sensor()))
    with pytest.raises(EnvironmentUnavailable, match="no connection 'outrider'"):
        execute(reader())


def test_a_trigger_waits_until_airflow_gives_the_connection(storage: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    found = storage_access_async

    async def at_last() -> StorageAccess:
        asked.append(1)
        if len(asked) < 3:
            raise EnvironmentUnavailable("the API server restarts")
        return await found()

    monkeypatch.setattr(waits, "storage_access_async", at_last)

    assert fired(storage)["sealed"]
    assert len(asked) == 3


def test_a_sensor_may_leave_its_worker_between_two_looks(storage: StandIn) -> None:
    storage.ready["sealed"].append(NOT_YET)

    assert not sensor(mode="reschedule").poke(context(sensor()))


def test_a_deferrable_sensor_waits_in_the_triggerer(storage: StandIn) -> None:
    """Bounded by its timeout; no answer is asked for twice where the first is a yes."""
    storage.ready["sealed"].append(NOT_YET)
    waiting = sensor(deferrable=True, timeout=30)

    with pytest.raises(TaskDeferred) as deferred:
        execute(waiting)

    assert isinstance(deferred.value.trigger, OutputSealedTrigger)
    assert deferred.value.timeout == timedelta(seconds=30)
    assert resume(waiting, deferred.value.method_name, {"sealed": True, "refused": ""}) is None
    execute(sensor(deferrable=True))


@pytest.mark.parametrize("deferrable", [True, False])
def test_a_sensor_without_a_grant_fails_for_good(storage: StandIn, deferrable: bool) -> None:
    storage.ready["sealed"].append(NOT_GRANTED)

    with pytest.raises(EnvironmentRefused, match=r"no grant \(not-granted\). Fix: grant it"):
        execute(sensor(deferrable=deferrable))


@pytest.mark.parametrize("soft", ["soft_fail", "never_fail"])
@pytest.mark.parametrize("deferrable", [True, False])
def test_a_soft_sensor_without_a_grant_is_skipped(storage: StandIn, deferrable: bool, soft: str) -> None:
    """However it waits, and whoever hears the refusal."""
    storage.ready["sealed"].append(NOT_GRANTED)

    with pytest.raises(AirflowSkipException):
        execute(sensor(deferrable=deferrable, **{soft: True}))
    with pytest.raises(AirflowSkipException):
        resume(sensor(deferrable=True, **{soft: True}), "after_wait", {"sealed": False, "refused": "no grant"})


def test_what_the_triggerer_was_refused_fails_the_sensor_for_good(storage: StandIn) -> None:
    with pytest.raises(EnvironmentRefused, match="no grant"):
        resume(sensor(deferrable=True), "after_wait", {"sealed": False, "refused": "no grant"})


def test_a_sensor_for_the_own_run_is_an_error_where_it_is_written() -> None:
    """A declared input does that by itself."""
    with dag(), TaskGroup("group"), pytest.raises(ValueError, match=r"waits for another DAG's output: awaited=Input"):
        OutputSensor(task_id="await", awaited=Input("extract", "orders"))
