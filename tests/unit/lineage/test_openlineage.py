"""Every event said is plain OpenLineage, valid against the published schemas with format assertion."""

import json
from typing import Any

import pytest
from referencing import Registry

from tests.unit.lineage.published import faults, schemas
from tests.unit.lineage.scene import Scene
from tests.unit.lineage.stories import story


@pytest.fixture(scope="module")
def registry() -> "Registry[Any]":
    return schemas()


async def _said() -> list[dict[str, Any]]:
    scene = Scene()
    await scene.hear(*story())
    await scene.wait()
    return scene.tx.said()


async def test_every_event_of_the_story_is_valid(registry: "Registry[Any]") -> None:
    """Starts, completions, failures and additions, with all their facets."""
    said = await _said()

    assert len(said) > 20
    assert [fault for event in said for fault in faults(event, registry)] == []


async def test_a_broken_event_is_found(registry: "Registry[Any]") -> None:
    """The validation itself can fail: a run id that is no UUID, a time that is none, a facet without its field."""
    [event, *_] = await _said()
    broken = json.loads(json.dumps(event))
    broken["run"]["runId"], broken["eventTime"] = "run-1", "yesterday"
    del broken["job"]["facets"]["jobType"]["integration"]

    assert len({fault.split(":")[0] for fault in faults(broken, registry)}) >= 2


async def test_a_completed_try_tells_versions_and_edges() -> None:
    """The reader learns which generation of which date was read, and which edge is which."""
    complete = next(e for e in await _said() if e["job"]["name"] == "daily.transform" and e["eventType"] == "COMPLETE")

    [read], written = complete["inputs"], complete["outputs"]
    path = "ads/daily/extract/20261101T000000.000000Z/orders/g1"
    assert read["facets"]["version"]["datasetVersion"] == path
    assert read["inputFacets"]["subset"]["inputCondition"]["partitions"][0]["dimensions"] == {
        "execution_date": "20261101T000000.000000Z"
    }
    assert [dataset["name"] for dataset in written] == ["daily/transform/daily", "daily"]
    assert written[0]["outputFacets"]["outputStatistics"]["size"] == 2000
    assert [entry["type"] for entry in complete["job"]["facets"]["lineage"]["entries"]] == ["JOB", "DATASET", "DATASET"]


async def test_a_failure_tells_its_class_and_never_its_words() -> None:
    """What an error says may hold data; it stays within the team."""
    failed = next(e for e in await _said() if e["eventType"] == "FAIL" and "errorMessage" in e["run"]["facets"])

    assert failed["run"]["facets"]["errorMessage"]["message"] == "ValueError"
    assert failed["outputs"] == []
