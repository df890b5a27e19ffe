"""What `tenants apply` sends, and how it reads the answer."""

from datetime import UTC, datetime, timedelta
from typing import Any

from outrider_cli.team_changes import TeamChange, Verdict, judge_status, plan_change
from outrider_contracts.tenants import TeamDesired, TeamDocument, TeamSpec, TeamStatus

NOW = datetime(2026, 11, 1, tzinfo=UTC)
LONG_AGO = NOW - timedelta(hours=1)
UID, OTHER = "a" * 32, "b" * 32


def document(**spec: Any) -> TeamDocument:
    return TeamDocument.model_validate(
        {"apiVersion": "outrider/v1", "kind": "Team", "metadata": {"name": "ads"}, "spec": spec}
    )


def desired(generation: int, uid: str = UID, at: datetime = LONG_AGO, **spec: Any) -> TeamDesired:
    made = TeamSpec.model_validate(spec)
    return TeamDesired(team="ads", uid=uid, generation=generation, digest=made.digest, spec=made, requested_at=at)


def status(generation: int, uid: str = UID, **parts: Any) -> TeamStatus:
    spec = TeamSpec.model_validate(parts.pop("spec", {}))
    return TeamStatus.model_validate(
        {
            "team": "ads", "uid": uid, "observed_generation": generation, "digest": spec.digest, "phase": "Ready",
            "revision": 1, "updated_at": NOW, **parts,
        }
    )  # fmt: skip


def condition(type_: str, value: str, reason: str = "", message: str = "") -> dict[str, Any]:
    return {"type": type_, "status": value, "reason": reason, "message": message, "since": NOW}


def plan(wanted: TeamDocument, known: TeamDesired | None, seen: TeamStatus | None) -> TeamChange:
    return plan_change(wanted, known, seen, new_uid="c" * 32, by="me", now=NOW)


def test_a_new_team_gets_a_uid_and_generation_one() -> None:
    change = plan(document(), None, None)

    assert change.send is not None
    assert (change.uid, change.generation) == ("c" * 32, 1)


def test_a_change_is_the_next_generation_under_the_same_uid() -> None:
    change = plan(document(displayName="new"), desired(4), status(4))

    assert change.send is not None
    assert (change.send.uid, change.send.generation, change.send.digest) == (UID, 5, change.digest)


def test_what_is_in_force_is_not_sent_again() -> None:
    assert plan(document(), desired(4), status(4)).send is None


def test_what_was_sent_a_moment_ago_is_waited_for() -> None:
    assert plan(document(), desired(1, at=NOW - timedelta(seconds=5)), None).send is None


def test_what_was_sent_long_ago_without_an_answer_is_sent_anew() -> None:
    change = plan(document(), desired(1), None)

    assert change.send is not None
    assert change.generation == 2


def test_a_loser_s_record_that_stayed_in_the_topic_does_not_count_as_in_force() -> None:
    """The compacted topic keeps the last record of a team, also a refused one."""
    loser = desired(4, displayName="mine")

    change = plan(document(displayName="mine"), loser, status(4, spec={"displayName": "theirs"}))

    assert change.send is not None
    assert change.generation == 5


def test_a_withdrawn_team_is_taken_up_again_under_its_uid() -> None:
    change = plan(document(), None, status(3, phase="Orphaned"))

    assert change.send is not None
    assert (change.uid, change.generation) == (UID, 4)


def verdict(change: TeamChange, seen: TeamStatus | None) -> Verdict:
    return judge_status(change, seen)[0]


def test_a_change_is_done_when_it_is_applied_everywhere() -> None:
    change = plan(document(), None, None)

    assert verdict(change, None) == "waiting"
    assert verdict(change, status(1, change.uid, conditions=[condition("Synced", "False")])) == "waiting"
    assert verdict(change, status(1, change.uid, conditions=[condition("Synced", "True")])) == "done"


def test_an_older_status_is_not_yet_an_answer() -> None:
    change = plan(document(displayName="new"), desired(4), status(4))

    assert verdict(change, status(4, conditions=[condition("Synced", "True")])) == "waiting"


def test_somebody_else_s_change_of_the_same_generation_is_a_conflict() -> None:
    change = plan(document(displayName="mine"), desired(4), status(4))

    assert verdict(change, status(5, spec={"displayName": "theirs"})) == "conflict"
    assert verdict(change, status(6, spec={"displayName": "theirs"})) == "conflict"
    assert verdict(change, status(4, uid=OTHER)) == "conflict"


def test_a_refusal_that_names_the_digest_is_told() -> None:
    change = plan(document(displayName="new"), desired(4), status(4))
    refused = condition("Accepted", "False", "DigestMismatch", f"generation 5 names digest {change.digest[:12]}")
    of_somebody_else = condition("Accepted", "False", "Conflict", "generation 5 was taken (000000000000)")

    assert verdict(change, status(4, conditions=[refused])) == "refused"
    assert verdict(change, status(4, conditions=[of_somebody_else])) == "waiting"
