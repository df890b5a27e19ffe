"""The bucket and the two service users of the local S3, each with no more rights than its service needs."""

import configparser
import contextlib
import io
import json
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config

from outrider_local.names import ACCOUNT, BUCKET, REGION
from outrider_local.secret_files import SecretFiles

if TYPE_CHECKING:
    from mypy_boto3_iam.client import IAMClient
    from mypy_boto3_s3.client import S3Client

PATH = "/outrider/services/"
ROOT_SECRET = "s3-root"  # noqa: S105 - the name of the file that holds it
_CREDENTIALS = "aws-credentials"
_IAM = f"arn:aws:iam::{ACCOUNT}"
_BUCKET = f"arn:aws:s3:::{BUCKET}"
POLICIES = {
    "tenancy": [
        {
            "Effect": "Allow",
            "Action": "iam:*",
            # AWS names these with their path; ministack leaves the path out when it asks for the right
            "Resource": [
                f"{_IAM}:{kind}/{names}"
                for kind in ("user", "role", "policy")
                for names in ("outrider/teams/*", "outrider-team-*")
            ],
        },
        {"Effect": "Allow", "Action": ["iam:ListUsers", "iam:ListRoles"], "Resource": "*"},
        {"Effect": "Allow", "Action": ["s3:ListBucket", "s3:GetBucketLocation"], "Resource": _BUCKET},
    ],
    "storage": [
        {"Effect": "Allow", "Action": "s3:*", "Resource": [_BUCKET, f"{_BUCKET}/*"]},
        {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": f"{_IAM}:role/outrider/teams/*"},
    ],
}
"""What each service may do. Storage reaches a team's data for jobs only through the team's own role."""


def user_arn(service: str) -> str:
    """ARN of the IAM user of *service*."""
    return f"{_IAM}:user{PATH}outrider-{service}"


def apply(endpoint: str, secrets: SecretFiles) -> None:
    """Have the bucket, the users with these policies, and a key of each in the credentials file."""
    key = secrets.password(ROOT_SECRET)
    root = boto3.Session(aws_access_key_id=key, aws_secret_access_key=key, region_name=REGION)
    config = Config(retries={"mode": "standard", "total_max_attempts": 5}, proxies={})
    _make_bucket(root.client("s3", endpoint_url=endpoint, config=config))
    iam = root.client("iam", endpoint_url=endpoint, config=config)
    profiles = _read(secrets)
    before = _text(profiles)
    profiles["root"] = _profile(key, key)
    for service, statements in POLICIES.items():
        user = f"outrider-{service}"
        _make_user(iam, user, json.dumps({"Version": "2012-10-17", "Statement": statements}))
        held = profiles[service]["aws_access_key_id"] if profiles.has_section(service) else ""
        keys = [key["AccessKeyId"] for key in iam.list_access_keys(UserName=user)["AccessKeyMetadata"]]
        if held in keys:
            continue
        for key_id in keys:  # nobody knows their secrets any more
            iam.delete_access_key(UserName=user, AccessKeyId=key_id)
        made = iam.create_access_key(UserName=user)["AccessKey"]
        profiles[service] = _profile(made["AccessKeyId"], made["SecretAccessKey"])
    if _text(profiles) != before:
        secrets.write(_CREDENTIALS, _text(profiles))


def _make_bucket(s3: "S3Client") -> None:
    with contextlib.suppress(s3.exceptions.BucketAlreadyOwnedByYou, s3.exceptions.BucketAlreadyExists):
        s3.create_bucket(Bucket=BUCKET)


def _make_user(iam: "IAMClient", user: str, policy: str) -> None:
    with contextlib.suppress(iam.exceptions.EntityAlreadyExistsException):
        iam.create_user(UserName=user, Path=PATH)
    # put again even then: the policy may be of an older release
    iam.put_user_policy(UserName=user, PolicyName="outrider", PolicyDocument=policy)


def _profile(key_id: str, secret: str) -> dict[str, str]:
    return {"aws_access_key_id": key_id, "aws_secret_access_key": secret}


def _read(secrets: SecretFiles) -> configparser.ConfigParser:
    profiles = configparser.ConfigParser(interpolation=None)
    profiles.read(secrets.path(_CREDENTIALS))
    return profiles


def _text(profiles: configparser.ConfigParser) -> str:
    text = io.StringIO()
    profiles.write(text)
    return text.getvalue()
