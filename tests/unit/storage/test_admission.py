"""How a team's jobs may get at data, by where it lies: each no says what to write instead."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from outrider_contracts.declarations import InputDeclaration, Mode, parse_declaration
from outrider_contracts.tenants import Acceptance, Backend, TeamSpec, TeamStatus
from storage.domain.admission import admit, check_mode, check_reach
from storage.domain.refusals import Refused

NOW = datetime(2026, 11, 1, tzinfo=UTC)
DAILY = InputDeclaration(team="news", dag="daily", task="load", output="orders")


def team(name: str, backend: Backend = "s3", *, reads: str = "") -> TeamStatus:
    told: dict[str, Any] = {"storage": {"backend": backend}}
    readable = (Acceptance.model_validate({"from": reads, "output": "daily/load/orders"}),) if reads else ()
    return TeamStatus(
        team=name, uid="0" * 32, observed_generation=1, digest="", phase="Ready", spec=TeamSpec.model_validate(told),
        readable=readable, revision=1, updated_at=NOW,
    )  # fmt: skip


def test_a_team_whose_backend_the_platform_has_not_is_refused_and_not_kept_waiting() -> None:
    with pytest.raises(Refused) as refused:
        admit("ads", team("ads", "directory"), timedelta(0), ["s3"])

    assert refused.value.reason == "no-backend"
    assert "the storage service has none" in refused.value.message
    assert "STORAGE_VOLUME_ROOT" in refused.value.fix
    assert admit("ads", team("ads", "directory"), timedelta(0), ["s3", "directory"]).team == "ads"


@pytest.mark.parametrize(
    ("backend", "mode", "fix"),
    [
        ("s3", "files", None),
        ("s3", "uris", None),
        ("s3", "volume", 'leave mode out, or write mode="uris"'),
        ("directory", "files", None),
        ("directory", "uris", 'write mode="volume" (or "files", but for Spark)'),
        ("directory", "volume", None),
    ],
)
def test_each_mode_is_had_or_refused_with_the_one_to_write_instead(
    backend: Backend, mode: Mode, fix: str | None
) -> None:
    declared = parse_declaration("load", mode=mode)
    if fix is None:
        check_mode(team("ads", backend), declared)
        return

    with pytest.raises(Refused) as refused:
        check_mode(team("ads", backend), declared)

    assert refused.value.reason == "bad-declaration"
    assert f"task 'load' declares mode=\"{mode}\"" in refused.value.message
    assert refused.value.fix == fix


@pytest.mark.parametrize(("here", "there"), [("s3", "directory"), ("directory", "s3"), ("directory", "directory")])
def test_nothing_is_read_across_a_team_s_own_volume(here: Backend, there: Backend) -> None:
    """Only that team's pods mount it. Whoever has no grant is told of the grant, not of where data lies."""
    producer = team("news", there)

    with pytest.raises(Refused, match="lies on a shared volume, which is mounted for that team alone"):
        check_reach(team("ads", here, reads="news"), DAILY, "daily", producer)
    with pytest.raises(Refused) as refused:
        check_reach(team("ads", here), DAILY, "daily", producer)

    assert refused.value.reason == "not-granted"


def test_what_is_one_s_own_or_in_s3_is_in_reach() -> None:
    own = InputDeclaration(team="ads", dag="daily", task="load", output="orders")
    check_reach(team("ads", "directory"), own, "daily", team("ads", "directory"))
    check_reach(team("ads"), DAILY, "daily", team("news"))
