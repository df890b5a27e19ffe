"""What lineage said of a real ride is OpenLineage as published, facet by facet."""

import json
from typing import Any

from outrider_cli.demo.ride import Ride

from tests.riding import Flown
from tests.unit.lineage.published import faults, schemas


def test_every_event_said_is_valid_against_the_published_schemas(ride: Ride, flown: Flown) -> None:
    """Format assertion on; nothing is fetched."""
    assert flown
    registry = schemas()

    events: list[dict[str, Any]] = [json.loads(record.value) for record in ride.said("outrider.lineage.v1")]

    assert events
    assert [fault for event in events for fault in faults(event, registry)] == []
