"""A team's identities, tried on the real S3 with the team's own key and with its role."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import aioboto3
import pytest
from botocore.exceptions import ClientError
from outrider_contracts.tenants import Acceptance
from tenancy.domain.teams import Wanted
from tenancy.ports import ProvisioningFailed

from tests.integration.tenancy.systems import Systems, changed, new_team

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client

PLACE = "daily/join/20261101T000000.000000Z"


@pytest.fixture(scope="module")
async def pair(systems: Systems) -> tuple[Wanted, Wanted]:
    """Two teams with an object each of two outputs; the second may read one output of the first."""
    one, other = new_team(), new_team()
    grant = Acceptance.model_validate({"from": one.team, "output": "daily/join/table"})
    other = changed(other, grant)
    for team in (one, other):
        await systems.iam_provisioner.apply(team)
    async with s3(systems, aioboto3.Session(**systems.s3.session())) as root:
        for team in (one, other):
            for output in ("table", "other"):
                await root.put_object(Bucket=systems.s3.bucket, Key=f"{team.team}/{PLACE}/{output}/g1/a", Body=b"a")
    return one, other


async def test_a_team_reads_writes_and_lists_its_own(systems: Systems, pair: tuple[Wanted, Wanted]) -> None:
    one, _ = pair
    async with as_team(systems, one) as client:
        await client.put_object(Bucket=systems.s3.bucket, Key=f"{one.team}/own/x", Body=b"x")
        listed = await client.list_objects_v2(Bucket=systems.s3.bucket, Prefix=f"{one.team}/own/")
        await client.delete_object(Bucket=systems.s3.bucket, Key=f"{one.team}/own/x")

    assert listed["KeyCount"] == 1


async def test_a_team_is_denied_everything_of_another(systems: Systems, pair: tuple[Wanted, Wanted]) -> None:
    one, other = pair
    foreign = f"{other.team}/{PLACE}/table/g1/a"
    async with as_team(systems, one) as client:
        for call, arguments in (
            (client.get_object, {"Key": foreign}),
            (client.head_object, {"Key": foreign}),
            (client.put_object, {"Key": f"{other.team}/planted", "Body": b""}),
            (client.delete_object, {"Key": foreign}),
            (client.copy_object, {"Key": f"{one.team}/stolen", "CopySource": f"{systems.s3.bucket}/{foreign}"}),
            (client.list_objects_v2, {"Prefix": f"{other.team}/"}),
            (client.list_objects_v2, {"Prefix": one.team}),
            (client.list_objects_v2, {}),
        ):
            assert await denied(call, Bucket=systems.s3.bucket, **arguments), (call.__name__, arguments)


async def test_a_grant_lets_one_output_be_read(systems: Systems, pair: tuple[Wanted, Wanted]) -> None:
    one, other = pair
    granted = f"{one.team}/{PLACE}/table/g1/"
    async with as_team(systems, other) as client:
        got = await client.get_object(Bucket=systems.s3.bucket, Key=f"{granted}a")
        listed = await client.list_objects_v2(Bucket=systems.s3.bucket, Prefix=granted)
        assert await denied(client.get_object, Bucket=systems.s3.bucket, Key=f"{one.team}/{PLACE}/other/g1/a")
        assert await denied(client.put_object, Bucket=systems.s3.bucket, Key=f"{granted}b", Body=b"")

    assert got["ContentLength"] == 1
    assert listed["KeyCount"] == 1


async def test_storage_takes_the_role_on_and_stays_inside_the_team(
    systems: Systems, pair: tuple[Wanted, Wanted]
) -> None:
    one, other = pair
    async with aioboto3.Session(**systems.s3.session("storage")).client("sts", endpoint_url=systems.s3.url) as sts:
        role = f"arn:aws:iam::000000000000:role/outrider/teams/{one.names.iam_name}"
        given = (await sts.assume_role(RoleArn=role, RoleSessionName="test"))["Credentials"]
    session = aioboto3.Session(
        given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"], region_name=systems.s3.region
    )
    async with s3(systems, session) as client:
        await client.get_object(Bucket=systems.s3.bucket, Key=f"{one.team}/{PLACE}/table/g1/a")
        assert await denied(client.get_object, Bucket=systems.s3.bucket, Key=f"{other.team}/{PLACE}/table/g1/a")


async def test_no_team_takes_a_role_on(systems: Systems, pair: tuple[Wanted, Wanted]) -> None:
    one, _ = pair
    session = await systems.s3_of(one)
    async with session.client("sts", endpoint_url=systems.s3.url) as sts:
        role = f"arn:aws:iam::000000000000:role/outrider/teams/{one.names.iam_name}"

        assert await denied(sts.assume_role, RoleArn=role, RoleSessionName="test")


async def test_a_suspended_team_s_key_is_refused_and_works_again_afterwards(systems: Systems) -> None:
    team = new_team()
    await systems.iam_provisioner.apply(team)
    bucket, key = systems.s3.bucket, f"{team.team}/x"

    await systems.iam_provisioner.apply(changed(team, lifecycle="Suspended"))

    async with as_team(systems, team) as client:
        with pytest.raises(ClientError):
            await client.put_object(Bucket=bucket, Key=key, Body=b"")

        await systems.iam_provisioner.apply(team)

        await client.put_object(Bucket=bucket, Key=key, Body=b"")


async def test_a_policy_changed_by_hand_is_put_right(systems: Systems) -> None:
    team = new_team()
    await systems.iam_provisioner.apply(team)
    wide = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}
    async with aioboto3.Session(**systems.s3.session()).client("iam", endpoint_url=systems.s3.url) as iam:
        await iam.put_user_policy(UserName=team.names.iam_name, PolicyName="wide", PolicyDocument=json.dumps(wide))

    applied = await systems.iam_provisioner.apply(team)

    assert [change.action for change in applied.changes] == ["policy.delete"]


async def test_more_grants_than_iam_takes_are_refused_with_the_reason(systems: Systems) -> None:
    team = new_team()
    grants = [
        Acceptance.model_validate({"from": "someone", "output": f"dag-{n}/some-task-of-it/output"}) for n in range(40)
    ]

    with pytest.raises(ProvisioningFailed, match="accept fewer outputs"):
        await systems.iam_provisioner.apply(changed(team, *grants))


async def test_an_identity_of_the_same_name_made_by_somebody_else_is_not_taken_over(systems: Systems) -> None:
    team = new_team()
    async with aioboto3.Session(**systems.s3.session()).client("iam", endpoint_url=systems.s3.url) as iam:
        await iam.create_user(UserName=team.names.iam_name)

    with pytest.raises(ProvisioningFailed, match="was not made for this team"):
        await systems.iam_provisioner.apply(team)


def s3(systems: Systems, session: aioboto3.Session) -> "Any":
    return session.client("s3", endpoint_url=systems.s3.url)


@asynccontextmanager
async def as_team(systems: Systems, wanted: Wanted) -> AsyncIterator["S3Client"]:
    async with s3(systems, await systems.s3_of(wanted)) as client:
        yield client


async def denied(call: Any, **arguments: Any) -> bool:
    """Whether the real answer to *call* is "access denied"."""
    try:
        await call(**arguments)
    except ClientError as error:
        return error.response["Error"]["Code"] in ("AccessDenied", "403")
    return False
