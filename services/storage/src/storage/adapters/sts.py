"""Credentials of tries by STS AssumeRole: the team's own role, narrowed by a session policy to one try."""

import re
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError
from outrider_bus.ports import UnavailableError
from outrider_contracts.http import Credentials

from storage.adapters.s3 import code, reach
from storage.domain.access import Access, session_policy

if TYPE_CHECKING:
    from types_aiobotocore_sts import STSClient

_NOT_IN_SESSION_NAMES = re.compile(r"[^A-Za-z0-9_=,.@-]")
_SESSION_NAME = 64


class StsIssuer:
    """CredentialIssuer over AWS STS (or a server that speaks it)."""

    def __init__(self, client: "STSClient", *, role_arn: str, bucket: str, seconds: int) -> None:
        """*role_arn* is a template with `{team}`."""
        self._client, self._role_arn, self._bucket, self._seconds = client, role_arn, bucket, seconds

    async def issue(self, access: Access) -> Credentials | None:
        try:
            answer = await reach(
                self._client.assume_role(
                    RoleArn=self._role_arn.format(team=access.team),
                    RoleSessionName=_NOT_IN_SESSION_NAMES.sub("-", access.session)[:_SESSION_NAME],
                    Policy=session_policy(access, self._bucket),
                    DurationSeconds=self._seconds,
                )
            )
        except ClientError as error:  # the role is being made, or nobody can use it: not the task's fault
            raise UnavailableError(f"STS does not let storage be team {access.team}: {code(error)}") from error
        made = answer["Credentials"]
        return Credentials(
            access_key_id=made["AccessKeyId"],
            secret_access_key=made["SecretAccessKey"],
            session_token=made["SessionToken"],
            expires_at=made["Expiration"],
        )


class NoCredentials:
    """For stores that jobs reach without credentials of ours (a directory)."""

    async def issue(self, access: Access) -> Credentials | None:  # noqa: ARG002 - the port's signature
        return None
