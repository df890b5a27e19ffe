"""Compacted topics have no compare-and-set: generation, uid and digest decide."""

from dataclasses import replace
from typing import Any

import pytest
from tenancy.domain.acceptance import accept, judge, moved
from tenancy.domain.teams import TeamRecord

from tests.unit.tenancy.teams import NOW, desired


def known(generation: int = 3, **spec: object) -> TeamRecord:
    return accept(desired("ads", generation, **spec), None, "t/0/1", NOW)


def reason(record: TeamRecord | None, generation: int, **spec: object) -> str | None:
    refusal = judge(desired("ads", generation, **spec), record)
    return refusal.reason if refusal else None


def test_a_new_team_and_a_newer_generation_are_accepted() -> None:
    assert reason(None, 1) is None
    assert reason(known(), 4) is None
    assert reason(known(), 9) is None


def test_an_older_generation_is_stale() -> None:
    assert reason(known(), 2, displayName="x") == "Stale"


def test_the_loser_of_two_changes_at_once_is_told_of_the_conflict() -> None:
    refusal = judge(desired("ads", 3, displayName="mine"), known(displayName="theirs"))

    assert refusal is not None
    assert refusal.reason == "Conflict"
    assert desired("ads", 3, displayName="mine").digest[:12] in refusal.message


def test_the_generation_in_force_seen_again_changes_nothing() -> None:
    assert reason(known(), 3) == "Known"


def test_another_uid_for_a_known_id_is_refused() -> None:
    stranger = desired("ads", 9).model_copy(update={"uid": "f" * 32})

    refusal = judge(stranger, known())

    assert refusal is not None
    assert refusal.reason == "ForeignUid"


def test_a_digest_that_is_not_the_spec_s_is_refused() -> None:
    forged = desired("ads", 1).model_copy(update={"digest": "0" * 64})

    refusal = judge(forged, None)

    assert refusal is not None
    assert refusal.reason == "DigestMismatch"


def test_deleting_an_unknown_team_is_refused() -> None:
    assert reason(None, 1, lifecycle="Deleted") == "Unknown"


DIRECTORY: dict[str, Any] = {"storage": {"backend": "directory"}}


@pytest.mark.parametrize("offered", [["s3"], ["s3", "directory"]])
def test_data_is_never_moved_so_where_it_lies_is_settled(offered: list[str]) -> None:
    """Also while nothing says yet whether there is any. The message names the digest: its sender looks for it."""
    moving = desired("ads", 4, **DIRECTORY)

    refusal = moved(moving, known(), offered)  # type: ignore[arg-type]

    assert refusal is not None
    assert refusal.reason == "BackendFixed"
    assert moving.digest[:12] in refusal.message
    assert moved(desired("ads", 4, displayName="new"), known(), offered) is None  # type: ignore[arg-type]
    assert moved(moving, None, offered) is None  # type: ignore[arg-type]


def test_a_document_that_named_what_is_not_offered_may_be_mended() -> None:
    """Nothing can lie there; once storage had it, something may, whatever is offered now."""
    nowhere = known(**DIRECTORY)
    had = replace(nowhere, applied={"storage": 1})

    assert moved(desired("ads", 4), nowhere, ["s3"]) is None
    assert moved(desired("ads", 4), had, ["s3"]) is not None
    assert moved(desired("ads", 4), nowhere, ["s3", "directory"]) is not None


def test_accepting_a_change_gives_every_provisioner_work() -> None:
    before = known()

    after = accept(desired("ads", 4, displayName="new"), before, "t/0/2", NOW)

    assert after.version == before.version + 1
    assert after.due_at == NOW
    assert after.refusal is None
