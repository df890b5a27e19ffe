"""What a name on the command line means."""

from typing import cast

import pytest
from outrider_cli.connection import Connection, NotConnected
from outrider_cli.explain import find

NOBODY = cast(Connection, None)


def test_a_part_of_a_mapped_task_is_named_by_its_number() -> None:
    subject = find(NOBODY, "ops/flights/r1/delays/2")

    assert (subject.task_id, subject.map_index) == ("delays", 2)


@pytest.mark.parametrize("index", ["two", "-1", "\u00b2"])
def test_what_is_no_number_is_said_to_be_none(index: str) -> None:
    with pytest.raises(NotConnected, match="is no map index"):
        find(NOBODY, f"ops/flights/r1/delays/{index}")
