"""IAM policies of a team. The text decides who reads what, so it is pure and tested for every pair of teams.

Listing is allowed by `s3:prefix` with the trailing slash only: with the bare id, `ads` would list `ads2/` too.
"""

from collections.abc import Sequence

from outrider_contracts.places import escape
from outrider_contracts.tenants import Acceptance

Policy = dict[str, object]
"""A policy document as IAM takes it, once written as JSON."""

USER_POLICY_LIMIT = 2048
"""Characters all inline policies of an IAM user may have together (white space not counted)."""

_LIST = ["s3:ListBucket", "s3:ListBucketVersions", "s3:ListBucketMultipartUploads"]
_USE = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"]


def own_policy(bucket: str, prefix: str) -> Policy:
    """All a team may do with its own *prefix* (with its trailing slash)."""
    return _document(
        {
            "Sid": "ListOwn", "Effect": "Allow", "Action": _LIST, "Resource": f"arn:aws:s3:::{bucket}",
            "Condition": {"StringLike": {"s3:prefix": [prefix, f"{prefix}*"]}},
        },
        {"Sid": "UseOwn", "Effect": "Allow", "Action": _USE, "Resource": f"arn:aws:s3:::{bucket}/{prefix}*"},
    )  # fmt: skip


def granted_policy(bucket: str, readable: Sequence[Acceptance]) -> Policy | None:
    """Reading what other teams have granted, None where there is nothing.

    IAM's `*` also matches slashes: a directory named like the granted output inside another output of the same task
    would match too. Storage's credentials for a try are exact; this is for the team's own tools.
    """
    if not readable:
        return None
    paths = [_granted(grant) for grant in readable]
    return _document(
        {
            "Sid": "ListGranted", "Effect": "Allow", "Action": "s3:ListBucket", "Resource": f"arn:aws:s3:::{bucket}",
            "Condition": {"StringLike": {"s3:prefix": paths}},
        },
        {
            "Sid": "ReadGranted", "Effect": "Allow", "Action": "s3:GetObject",
            "Resource": [f"arn:aws:s3:::{bucket}/{path}" for path in paths],
        },
    )  # fmt: skip


def deny_everything() -> Policy:
    """What a suspended team has: an explicit Deny beats every Allow, also in sessions that run already."""
    return _document({"Sid": "Suspended", "Effect": "Deny", "Action": "*", "Resource": "*"})


def trust_policy(principal_arn: str) -> Policy:
    """Only *principal_arn* (storage) may take the team's role on."""
    return _document({"Effect": "Allow", "Principal": {"AWS": principal_arn}, "Action": "sts:AssumeRole"})


def same_policy(one: object, other: object) -> bool:
    """Compare by meaning: the order of lists doesn't count, and one value equals a list of that one."""
    return _normal(one) == _normal(other)


def _granted(grant: Acceptance) -> str:
    dag_id, task_id, output = (escape(part) for part in grant.output.split("/"))
    return f"{grant.from_}/{dag_id}/{task_id}/*/{output}/*"


def _document(*statements: dict[str, object]) -> Policy:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def _normal(value: object) -> object:
    if isinstance(value, dict):
        return tuple(sorted((str(key), _normal(item)) for key, item in value.items()))
    if isinstance(value, list):
        items = sorted((_normal(item) for item in value), key=repr)
        return items[0] if len(items) == 1 else tuple(items)
    return value
