"""From a record of the onboarding topic to a ready team: the use cases on memory twins."""

import pytest
from outrider_bus.ports import UnavailableError
from outrider_contracts.names import DerivedNames
from tenancy.adapters.memory import MemoryProvisioner
from tenancy.adapters.storage import StorageProvisioner
from tenancy.ports import ProvisioningFailed

from tests.unit.tenancy.teams import accepts, desired, offers
from tests.unit.tenancy.world import World


@pytest.fixture
def world() -> World:
    return World()


async def test_an_accepted_team_becomes_ready_step_by_step(world: World) -> None:
    await world.hear(desired("ads"))

    assert world.status("ads").phase == "Provisioning"

    await world.work()

    status = world.status("ads")
    assert status.phase == "Ready"
    assert {c.type: c.status for c in status.conditions} == dict.fromkeys(
        ("Accepted", "Ready", "Synced", "iam", "kafka"), "True"
    )
    assert status.secret_refs == {"kafka": "memory:ads/kafka", "iam": "memory:ads/iam"}
    assert [s.revision for s in world.registry.statuses("ads")] == list(range(1, status.revision + 1))


async def test_a_team_where_all_is_well_says_nothing_again(world: World) -> None:
    await world.hear(desired("ads"))
    await world.work()
    said = len(world.registry.said)

    world.registry.make_due("ads", full=True)
    await world.work()

    assert len(world.registry.said) == said


async def test_a_redelivered_record_changes_nothing(world: World) -> None:
    await world.hear(desired("ads"))
    await world.work()
    said = len(world.registry.said)

    await world.hear(desired("ads"))
    await world.work()

    assert len(world.registry.said) == said


async def test_a_backend_that_is_not_offered_is_said_and_mended_by_the_next_document() -> None:
    """It is a condition of the provisioner, in words; the team is not stuck with it."""
    world = World(real=(StorageProvisioner(["s3"]),))
    await world.hear(desired("ads", storage={"backend": "directory"}))
    await world.work()

    said = world.status("ads").condition("storage")
    await world.hear(desired("ads", 2))
    await world.work()

    assert said is not None
    assert (said.reason, said.status) == ("Failed", "False")
    assert "'directory' is not offered here; there is: s3" in said.message
    assert world.status("ads").phase == "Ready"


async def test_a_document_that_would_move_data_is_refused_and_the_team_goes_on(world: World) -> None:
    world.offered = ("s3", "directory")
    await world.hear(desired("ads"))
    await world.work()

    await world.hear(desired("ads", 2, storage={"backend": "directory"}))

    status = world.status("ads")
    accepted = status.condition("Accepted")
    assert accepted is not None
    assert (accepted.status, accepted.reason) == ("False", "BackendFixed")
    assert (status.phase, status.observed_generation) == ("Ready", 1)


async def test_a_stale_record_changes_nothing_but_is_on_record(world: World) -> None:
    await world.hear(desired("ads", 2, displayName="new"))
    await world.hear(desired("ads", 1, displayName="old"))

    status = world.status("ads")
    assert status.spec is not None
    assert status.spec.display_name == "new"
    assert [audit.outcome for audit in world.audits("team.refuse")] == ["refused"]


async def test_the_loser_of_a_conflict_finds_its_digest_in_the_status(world: World) -> None:
    loser = desired("ads", 1, displayName="mine")
    await world.hear(desired("ads", 1, displayName="theirs"), loser)

    accepted = world.status("ads").condition("Accepted")
    assert accepted is not None
    assert (accepted.status, accepted.reason) == ("False", "Conflict")
    assert loser.digest[:12] in accepted.message

    await world.hear(desired("ads", 2))

    accepted = world.status("ads").condition("Accepted")
    assert accepted is not None
    assert accepted.status == "True"


async def test_a_tombstone_orphans_and_removes_nothing(world: World) -> None:
    await world.hear(desired("ads"))
    await world.work()
    held = [dict(p.held) for p in world.provisioners]

    await world.hear_tombstone("ads")
    world.registry.make_due("ads", full=True)
    await world.work()

    assert world.status("ads").phase == "Orphaned"
    assert [dict(p.held) for p in world.provisioners] == held
    assert len(world.audits("team.withdraw")) == 1


async def test_an_orphan_is_taken_up_again_by_a_newer_generation(world: World) -> None:
    await world.hear(desired("ads"))
    await world.hear_tombstone("ads")

    await world.hear(desired("ads", 2))
    await world.work()

    assert world.status("ads").phase == "Ready"


async def test_suspending_ends_access_and_activating_gives_it_back(world: World) -> None:
    await world.hear(desired("ads"))
    await world.work()

    await world.hear(desired("ads", 2, lifecycle="Suspended"))

    assert world.status("ads").phase == "Suspended", "others refuse the team from the moment it is accepted"

    await world.work()

    assert [p.held["ads"][0] for p in world.provisioners] == [False, False]

    await world.hear(desired("ads", 3))
    await world.work()

    assert [p.held["ads"][0] for p in world.provisioners] == [True, True]
    assert world.status("ads").phase == "Ready"


async def test_one_provisioner_in_trouble_stops_no_other() -> None:
    kafka, iam = MemoryProvisioner("kafka"), MemoryProvisioner("iam", fails_with=ProvisioningFailed("IAM said no"))
    world = World((kafka, iam))

    await world.hear(desired("ads"))
    await world.work()

    status = world.status("ads")
    assert status.phase == "Degraded"
    assert {c.type: c.reason for c in status.conditions}["kafka"] == "Provisioned"
    assert {c.type: c.message for c in status.conditions}["iam"] == "IAM said no"


async def test_a_provisioner_that_comes_back_finishes_without_asking_the_others_again() -> None:
    kafka, iam = MemoryProvisioner("kafka"), MemoryProvisioner("iam", fails_with=UnavailableError("away"))
    world = World((kafka, iam))
    await world.hear(desired("ads"))
    await world.work()

    iam.fails_with = None
    world.registry.make_due("ads")
    await world.work()

    assert world.status("ads").phase == "Ready"
    assert kafka.applied == ["ads"]


async def test_the_text_of_an_unexpected_error_is_never_said() -> None:
    """It may hold a secret: a vendor's message quotes what it was given."""
    world = World((MemoryProvisioner("kafka", fails_with=RuntimeError("password=canary-secret")),))

    await world.hear(desired("ads"))
    await world.work()

    assert not [event for event in world.registry.said if "canary-secret" in event.model_dump_json()]


async def test_a_grant_works_in_whichever_order_the_two_sides_arrive() -> None:
    output = "daily/join/table"
    for order in ((0, 1), (1, 0)):
        world = World()
        sides = (desired("ads", **offers("news", output)), desired("news", **accepts("ads", output)))
        for at in order:
            await world.hear(sides[at])
            await world.work()
        await world.work()

        assert [(g.from_, g.output) for g in world.status("news").readable] == [("ads", output)]
        assert all("daily/join/table" in p.held["news"][1] for p in world.provisioners)


async def test_a_withdrawn_offer_closes_the_grant_at_the_other_team(world: World) -> None:
    output = "daily/join/table"
    await world.hear(desired("ads", **offers("news", output)), desired("news", **accepts("ads", output)))
    await world.work()

    await world.hear(desired("ads", 2))
    await world.work()

    assert world.status("news").readable == ()
    assert all("daily/join/table" not in p.held["news"][1] for p in world.provisioners)


async def test_a_change_that_arrives_during_the_work_is_not_lost(world: World) -> None:
    await world.hear(desired("ads"))

    async with world.registry.hold("ads"):
        await world.hear(desired("ads", 2, lifecycle="Suspended"))
    await world.work()

    assert world.status("ads").phase == "Suspended"
    assert [p.held["ads"][0] for p in world.provisioners] == [False, False]


async def test_what_another_manager_holds_is_a_condition_until_it_is_let_go(world: World) -> None:
    """The rest of the team is there; nobody's change is overwritten behind their back."""
    iam = world.provisioners[1]
    iam.conflict = "ResourceQuota x/team: .spec.hard.pods is set by kubectl"
    await world.hear(desired("ads"))
    await world.work()

    stated = world.status("ads").condition("iam")
    assert stated is not None
    assert (stated.status, stated.reason, stated.message) == ("False", "Conflict", iam.conflict)
    assert world.status("ads").phase == "Degraded"

    iam.conflict = ""
    world.registry.make_due("ads")
    await world.work()

    assert world.status("ads").phase == "Ready"


async def test_a_team_whose_pods_would_run_as_another_s_user_is_refused(world: World) -> None:
    first, second = two_of_one_user()
    await world.hear(desired(first))
    await world.hear(desired(second))

    (audit,) = world.audits("team.refuse")
    assert audit.team == second
    assert f"as those of {first} do; choose another id" in audit.detail
    assert second not in world.registry.rows

    await world.hear(desired(first, 2, displayName="still welcome"))

    assert world.registry.rows[first].generation == 2


def two_of_one_user() -> tuple[str, str]:
    """Two ids that draw the same number: among some ten thousands there is such a pair."""
    seen: dict[int, str] = {}
    for number in range(1_000_000):
        team = f"team{number}"
        if (drawn := DerivedNames(team).unix_id) in seen:
            return seen[drawn], team
        seen[drawn] = team
    raise AssertionError("no two ids draw the same number")
