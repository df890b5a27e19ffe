"""The credentials of one try open its inputs and its outputs, and nothing else: real denials of a real IAM."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

import aioboto3
import pytest
from botocore.exceptions import ClientError
from outrider_bus.ports import UnavailableError
from outrider_contracts.http import Credentials
from outrider_local.handles import RunningS3
from outrider_local.s3_users import user_arn
from storage.adapters.s3 import config
from storage.adapters.sts import StsIssuer
from storage.domain.access import Access

from tests.integration.storage.conftest import S3Door

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client

PLACE = "crew/daily/extract/20261101T000000.000000Z"
INPUT = f"{PLACE}/orders/g1/"
OUTPUT = "crew/daily/report/20261101T000000.000000Z/page/g2/"
EARLIER = "crew/daily/report/20261101T000000.000000Z/page/g1/"
LONGER = "crew/daily/report/20261101T000000.000000Z/page/g22/"
FOREIGN = "other/daily/extract/20261101T000000.000000Z/orders/g1/"
ROLE = "arn:aws:iam::000000000000:role/outrider/teams/outrider-team-{team}"


@asynccontextmanager
async def make_role(s3: RunningS3, team: str) -> AsyncIterator[None]:
    """The role of a team, as tenancy makes it: its own prefix, and storage may assume it."""
    trust = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"AWS": user_arn("storage")}, "Action": "sts:AssumeRole"}],
    }
    bucket = f"arn:aws:s3:::{s3.bucket}"
    listing = {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": [bucket]}
    rights = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": "s3:*", "Resource": [f"{bucket}/{team}/*"]},
            {**listing, "Condition": {"StringLike": {"s3:prefix": [f"{team}/*"]}}},
        ],
    }
    name = f"outrider-team-{team}"
    session = aioboto3.Session(**s3.session("root"))
    async with session.client("iam", endpoint_url=s3.url, config=config()) as iam:
        await iam.create_role(RoleName=name, Path="/outrider/teams/", AssumeRolePolicyDocument=json.dumps(trust))
        await iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=json.dumps(rights))
        yield
        await iam.delete_role_policy(RoleName=name, PolicyName="own")
        await iam.delete_role(RoleName=name)


@pytest.fixture
async def role(s3: RunningS3) -> AsyncIterator[None]:
    """The role of team crew."""
    async with make_role(s3, "crew"):
        yield


Issue = Callable[[Access], Awaitable[Credentials]]


@pytest.fixture
async def issue(s3: RunningS3, role: None) -> AsyncIterator[Issue]:
    """Credentials as the storage service makes them."""
    session = aioboto3.Session(**s3.session("storage"))
    async with session.client("sts", endpoint_url=s3.url, config=config()) as sts:
        issuer = StsIssuer(sts, role_arn=ROLE, bucket=s3.bucket, seconds=900)

        async def issued(access: Access) -> Credentials:
            made = await issuer.issue(access)
            assert made is not None
            return made

        yield issued


@pytest.fixture
async def job(s3: RunningS3, s3_door: S3Door, issue: Issue) -> AsyncIterator["S3Client"]:
    """What a job of the try holds: one input to read, one output to write, and a bucket full of other things."""
    for key in (INPUT, OUTPUT, EARLIER, LONGER, FOREIGN, f"{PLACE}/other/g1/"):
        await s3_door.put(key + "a", b"x")
    made = await issue(Access("crew", "daily.report.-1.1", (INPUT,), (OUTPUT,)))
    async with AsyncExitStack() as stack:
        yield await stack.enter_async_context(_client(s3, made))


def _client(s3: RunningS3, made: Credentials):  # type: ignore[no-untyped-def]
    session = aioboto3.Session(
        aws_access_key_id=made.access_key_id,
        aws_secret_access_key=made.secret_access_key,
        aws_session_token=made.session_token,
        region_name=s3.region,
    )
    return session.client("s3", endpoint_url=s3.url, config=config())


async def denied(call: Awaitable[object]) -> bool:
    try:
        await call
    except ClientError as error:
        return error.response["Error"]["Code"] in ("AccessDenied", "403")
    return False


async def test_a_try_reads_its_input_and_writes_its_output(job: "S3Client", s3: RunningS3) -> None:
    read = await job.get_object(Bucket=s3.bucket, Key=INPUT + "a")
    await job.put_object(Bucket=s3.bucket, Key=OUTPUT + "deep/b", Body=b"y")
    listed = await job.list_objects_v2(Bucket=s3.bucket, Prefix=OUTPUT)
    upload = await job.create_multipart_upload(Bucket=s3.bucket, Key=OUTPUT + "big")
    await job.abort_multipart_upload(Bucket=s3.bucket, Key=OUTPUT + "big", UploadId=upload["UploadId"])

    async with read["Body"] as body:
        assert await body.read() == b"x"
    assert [entry["Key"] for entry in listed["Contents"]] == [OUTPUT + "a", OUTPUT + "deep/b"]


@pytest.mark.parametrize("prefix", [EARLIER, LONGER, FOREIGN, f"{PLACE}/other/g1/"])
async def test_a_try_touches_nothing_else(job: "S3Client", s3: RunningS3, prefix: str) -> None:
    """Not its earlier generation, not a longer number, not another output, not another team."""
    assert await denied(job.get_object(Bucket=s3.bucket, Key=prefix + "a"))
    assert await denied(job.put_object(Bucket=s3.bucket, Key=prefix + "b", Body=b"y"))
    assert await denied(job.delete_object(Bucket=s3.bucket, Key=prefix + "a"))
    assert await denied(job.list_objects_v2(Bucket=s3.bucket, Prefix=prefix))
    assert await denied(
        job.copy_object(Bucket=s3.bucket, Key=OUTPUT + "stolen", CopySource={"Bucket": s3.bucket, "Key": prefix + "a"})
    )


async def test_a_try_can_neither_change_its_input_nor_delete_anything(job: "S3Client", s3: RunningS3) -> None:
    assert await denied(job.put_object(Bucket=s3.bucket, Key=INPUT + "a", Body=b"y"))
    assert await denied(job.delete_object(Bucket=s3.bucket, Key=INPUT + "a"))
    assert await denied(job.delete_object(Bucket=s3.bucket, Key=OUTPUT + "a"))
    assert await denied(job.list_objects_v2(Bucket=s3.bucket))
    assert await denied(job.list_objects_v2(Bucket=s3.bucket, Prefix="crew/"))


async def test_a_try_without_inputs_and_outputs_gets_nothing_of_the_teams(
    s3: RunningS3, s3_door: S3Door, issue: Issue
) -> None:
    await s3_door.put(INPUT + "a", b"x")
    made = await issue(Access("crew", "daily.nothing.-1.1"))

    async with _client(s3, made) as client:
        assert await denied(client.get_object(Bucket=s3.bucket, Key=INPUT + "a"))


async def test_even_a_wrong_plan_stays_inside_the_team(s3: RunningS3, s3_door: S3Door, issue: Issue) -> None:
    """A session policy narrows the team's role; it can't widen it."""
    await s3_door.put(FOREIGN + "a", b"x")
    made = await issue(Access("crew", "daily.report.-1.1", (FOREIGN,), (OUTPUT,)))

    async with _client(s3, made) as client:
        assert await denied(client.get_object(Bucket=s3.bucket, Key=FOREIGN + "a"))


async def test_a_team_whose_role_is_not_there_yet_is_waited_for(issue: Issue) -> None:
    with pytest.raises(UnavailableError, match="team ghost"):
        await issue(Access("ghost", "daily.report.-1.1", (), ()))
