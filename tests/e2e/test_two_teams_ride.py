"""Two teams' DAGs on the whole stack: what they got, what is on record, what is gone."""

import json
from typing import Any

import pytest
from outrider_cli.demo.ride import Ride
from outrider_contracts.airflow import TaskFinished
from outrider_contracts.environments import EnvironmentSealed, VersionCleared
from outrider_contracts.topics import team_events
from outrider_local.waiting import wait_until

from tests.e2e.support import objects
from tests.riding import Flown

pytestmark = pytest.mark.usefixtures("flown")


def test_every_final_state_in_airflow_is_the_last_one_told(ride: Ride, flown: Flown) -> None:
    """Listener and sweep together miss no end of a task."""
    for dag_id, run_id in (("flights", flown.flights), ("punctuality", flown.punctuality)):
        held = {(task.task_id, task.map_index): task.state for task in ride.airflow.tasks(dag_id, run_id)}

        def told(run_id: str = run_id) -> dict[tuple[str, int], str]:
            finished = [
                TaskFinished.model_validate_json(record.value)
                for record in ride.said(TaskFinished.topic)
                if record.headers.get("ce_type") == TaskFinished.type
            ]
            of_run = sorted((f for f in finished if f.task.run_id == run_id), key=lambda f: f.finished_at)
            return {(f.task.task_id, f.task.map_index): f.state for f in of_run}

        assert wait_until(lambda held=held, told=told: told() == held, seconds=30, every=0.5), (told(), held)  # type: ignore[misc]


def test_the_failed_try_left_nothing_current_and_the_retry_did(ride: Ride, flown: Flown) -> None:
    """`check` fails once: its first generation is sealed as failed, its second is the version."""
    sealed = [s for s in _sealed(ride) if s.task.run_id == flown.flights and s.task.task_id == "check"]

    assert {(s.task.try_number, s.outcome) for s in sealed} == {(1, "failed"), (2, "success")}


def test_the_mapped_task_wrote_one_part_per_airport(ride: Ride, flown: Flown) -> None:
    """Every mapped instance has a place of its own and a sealed version in it."""
    parts = {
        s.task.map_index: s.outputs["delays"]
        for s in _sealed(ride)
        if s.task.run_id == flown.flights and s.task.task_id == "delays" and s.outcome == "success"
    }

    assert sorted(parts) == [0, 1, 2]
    assert len({part.path for part in parts.values()}) == 3
    assert all(part.files == 1 and part.bytes > 0 for part in parts.values())


def test_the_other_team_read_the_very_version_that_was_sealed(ride: Ride, flown: Flown) -> None:
    """The input across teams is resolved to one generation, which stands in the reader's record."""
    daily = next(s for s in _sealed(ride) if s.task.run_id == flown.flights and s.task.task_id == "daily")
    rank = next(s for s in _sealed(ride) if s.task.run_id == flown.punctuality)

    assert [read.version for read in rank.inputs["daily"]] == [daily.outputs["daily"].version]


def test_outputs_kept_for_the_run_are_gone_and_the_others_are_not(ride: Ride, flown: Flown) -> None:
    """`flights` and `delays` are kept for the run: cleared soon after it; `daily` stays."""

    def cleared() -> set[str]:
        facts = [
            VersionCleared.model_validate_json(record.value)
            for record in ride.said(VersionCleared.topic)
            if record.headers.get("ce_type") == VersionCleared.type
        ]
        return {fact.path for fact in facts if fact.version.run_id == flown.flights}

    wanted = {
        output.path
        for s in _sealed(ride)
        if s.task.run_id == flown.flights and s.task.task_id in ("extract", "delays")
        for output in s.outputs.values()
    }
    assert len(wanted) == 4
    assert wait_until(lambda: wanted <= cleared(), seconds=90, every=1), wanted - cleared()
    assert not any(objects(ride, path) for path in wanted)
    daily = next(s for s in _sealed(ride) if s.task.run_id == flown.flights and s.task.task_id == "daily")
    assert objects(ride, daily.outputs["daily"].path)


def test_lineage_leads_from_the_newsroom_back_to_the_raw_flights(ride: Ride) -> None:
    """Upstream of `rank`'s output lies `ops`' whole chain."""

    def names() -> set[str]:
        answer = ride.ask("lineage", "/v1/lineage/upstream", node="newsroom/punctuality/rank/worst", depth="10")
        return {node["name"] for node in answer["nodes"]}

    wanted = {"punctuality.rank", "flights.daily", "flights.delays", "flights.extract"}
    assert wait_until(lambda: wanted <= names(), seconds=30, every=0.5), names()


def test_openlineage_tells_each_try_once(ride: Ride, flown: Flown) -> None:
    """One START and one end per try, however often the causes were told: `check` fails once, then succeeds."""

    def told() -> dict[str, list[str]]:
        types: dict[str, list[str]] = {}
        for record in ride.said("outrider.lineage.v1"):
            event = json.loads(record.value)
            if event["job"]["name"] == "flights.check" and _tags(event)["run_id"] == flown.flights:
                types.setdefault(event["run"]["runId"], []).append(event["eventType"])
        return types

    wanted = [["COMPLETE", "START"], ["FAIL", "START"]]
    assert wait_until(lambda: sorted(map(sorted, told().values())) == wanted, seconds=60, every=0.5), told()


def test_a_team_hears_of_its_own_environments_on_its_own_topic(ride: Ride, flown: Flown) -> None:
    """Copies reach the team's topic; the other team's facts do not."""

    def keys() -> set[str]:
        records = ride.said(team_events("newsroom"))
        return {
            r.key.split("/")[0] for r in records if r.headers.get("ce_type", "").startswith("outrider.environment.")
        }

    assert flown
    assert wait_until(lambda: keys() == {"newsroom"}, seconds=30, every=0.5), keys()


def _tags(event: dict[str, Any]) -> dict[str, str]:
    """Others may have ridden the same DAG: these say which run an event is of."""
    return {tag["key"]: tag["value"] for tag in event["run"]["facets"]["tags"]["tags"]}


def _sealed(ride: Ride) -> list[EnvironmentSealed]:
    return [
        EnvironmentSealed.model_validate_json(record.value)
        for record in ride.said(EnvironmentSealed.topic)
        if record.headers.get("ce_type") == EnvironmentSealed.type
    ]
