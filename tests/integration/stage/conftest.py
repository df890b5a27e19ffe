"""A role that may use the whole bucket, and sessions of it as short as a test wants."""

import json
from collections.abc import Callable, Mapping
from uuid import uuid4

import pytest
from boto3.session import Session
from botocore.config import Config
from outrider_contracts.http import Credentials, StoreAddress
from outrider_local.handles import RunningS3

Assume = Callable[[int], Credentials]


@pytest.fixture
def address(s3: RunningS3) -> StoreAddress:
    return StoreAddress(kind="s3", bucket=s3.bucket, endpoint_url=s3.url, region=s3.region)


@pytest.fixture
def assume(s3: RunningS3) -> Assume:
    """Credentials that last the given seconds."""
    # AWS itself gives no session under 900 s; this server does, if the SDK lets the request pass
    config = Config(parameter_validation=False)
    root = Session(**s3.session())
    iam = root.client("iam", endpoint_url=s3.url, config=config)
    sts = root.client("sts", endpoint_url=s3.url, config=config)
    everyone = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    everything = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
    name = f"stage-{uuid4().hex[:8]}"
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=_policy(everyone))["Role"]["Arn"]
    iam.put_role_policy(RoleName=name, PolicyName="all", PolicyDocument=_policy(everything))

    def assumed(seconds: int) -> Credentials:
        given = sts.assume_role(RoleArn=role, RoleSessionName="test", DurationSeconds=seconds)["Credentials"]
        return Credentials(
            access_key_id=given["AccessKeyId"],
            secret_access_key=given["SecretAccessKey"],
            session_token=given["SessionToken"],
            expires_at=given["Expiration"],
        )

    return assumed


def _policy(statement: Mapping[str, object]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})
