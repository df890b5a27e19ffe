"""IAM's calls, in tenancy's own words and errors. What is absent is None, what is there already is a success."""

import json
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any, TypeVar

from botocore.exceptions import BotoCoreError, ClientError
from outrider_bus.ports import UnavailableError
from outrider_contracts.names import IAM_PATH

from tenancy.domain.policies import Policy
from tenancy.ports import ProvisioningFailed

if TYPE_CHECKING:
    from types_aiobotocore_iam import IAMClient
    from types_aiobotocore_iam.type_defs import TagTypeDef

T = TypeVar("T")
Connect = Callable[[], AbstractAsyncContextManager["IAMClient"]]
_AWAY = frozenset(
    {"Throttling", "ThrottlingException", "RequestLimitExceeded", "ServiceUnavailable", "InternalFailure"}
)


class Iam:
    """Roles and users below one path, with inline policies."""

    def __init__(self, client: "IAMClient") -> None:
        self._client = client

    async def role(self, role: str) -> tuple[object, dict[str, str]] | None:
        """The role's trust policy and tags, None where there is no such role."""
        found = await _absent(self._client.get_role(RoleName=role))
        if found is None:
            return None
        return _document(found["Role"].get("AssumeRolePolicyDocument")), _untag(found["Role"].get("Tags"))

    async def put_role(self, role: str, trust: Policy, tags: dict[str, str]) -> None:
        """Make the role, or give it that trust policy."""
        made = await _present(
            self._client.create_role(
                RoleName=role, Path=IAM_PATH, AssumeRolePolicyDocument=json.dumps(trust), Tags=_tags(tags)
            )
        )
        if made is None:
            await _asked(self._client.update_assume_role_policy(RoleName=role, PolicyDocument=json.dumps(trust)))

    async def user(self, user: str) -> dict[str, str] | None:
        """The user's tags, None where there is no such user."""
        found = await _absent(self._client.get_user(UserName=user))
        return None if found is None else _untag(found["User"].get("Tags"))

    async def put_user(self, user: str, tags: dict[str, str]) -> None:
        """Make the user."""
        await _present(self._client.create_user(UserName=user, Path=IAM_PATH, Tags=_tags(tags)))

    async def role_policies(self, role: str) -> dict[str, object]:
        """The role's inline policies by name; empty where there is no such role."""
        listed = await _absent(self._client.list_role_policies(RoleName=role))
        names = [] if listed is None else listed["PolicyNames"]
        found = [(name, await _absent(self._client.get_role_policy(RoleName=role, PolicyName=name))) for name in names]
        return {name: _document(policy["PolicyDocument"]) for name, policy in found if policy is not None}

    async def user_policies(self, user: str) -> dict[str, object]:
        """The user's inline policies by name; empty where there is no such user."""
        listed = await _absent(self._client.list_user_policies(UserName=user))
        names = [] if listed is None else listed["PolicyNames"]
        found = [(name, await _absent(self._client.get_user_policy(UserName=user, PolicyName=name))) for name in names]
        return {name: _document(policy["PolicyDocument"]) for name, policy in found if policy is not None}

    async def put_policy(self, kind: str, name: str, policy_name: str, policy: Policy) -> None:
        """Set one inline policy of the role or user *name*."""
        text = json.dumps(policy, separators=(",", ":"))
        if kind == "role":
            await _asked(self._client.put_role_policy(RoleName=name, PolicyName=policy_name, PolicyDocument=text))
        else:
            await _asked(self._client.put_user_policy(UserName=name, PolicyName=policy_name, PolicyDocument=text))

    async def delete_policy(self, kind: str, name: str, policy_name: str) -> None:
        """Remove one inline policy of the role or user *name*."""
        if kind == "role":
            await _absent(self._client.delete_role_policy(RoleName=name, PolicyName=policy_name))
        else:
            await _absent(self._client.delete_user_policy(UserName=name, PolicyName=policy_name))

    async def keys(self, user: str) -> dict[str, bool]:
        """The user's access key ids, and whether each is active."""
        listed = await _absent(self._client.list_access_keys(UserName=user))
        found = [] if listed is None else listed["AccessKeyMetadata"]
        return {key["AccessKeyId"]: key["Status"] == "Active" for key in found}

    async def create_key(self, user: str) -> tuple[str, str]:
        """A new access key: id and secret."""
        made = (await _asked(self._client.create_access_key(UserName=user)))["AccessKey"]
        return made["AccessKeyId"], made["SecretAccessKey"]

    async def set_key(self, user: str, key_id: str, *, active: bool) -> None:
        """Let a key be used, or not."""
        status: Any = "Active" if active else "Inactive"
        await _asked(self._client.update_access_key(UserName=user, AccessKeyId=key_id, Status=status))

    async def delete_key(self, user: str, key_id: str) -> None:
        """Remove a key for good."""
        await _absent(self._client.delete_access_key(UserName=user, AccessKeyId=key_id))


async def _asked(call: Awaitable[T]) -> T:
    try:
        return await call
    except ClientError as error:
        code, status = error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"]
        if code in _AWAY or status >= 500:
            raise UnavailableError(f"IAM is away: {code}") from None
        raise IamRefused(code, error.operation_name) from None
    except (BotoCoreError, OSError) as error:
        raise UnavailableError(f"IAM is away: {type(error).__name__}") from None


async def _absent(call: Awaitable[T]) -> T | None:
    """The answer, None for "no such entity"."""
    try:
        return await _asked(call)
    except IamRefused as refused:
        if refused.code in ("NoSuchEntity", "NoSuchEntityException"):
            return None
        raise


async def _present(call: Awaitable[T]) -> T | None:
    """The answer, None for "is there already"."""
    try:
        return await _asked(call)
    except IamRefused as refused:
        if refused.code in ("EntityAlreadyExists", "EntityAlreadyExistsException"):
            return None
        raise


class IamRefused(ProvisioningFailed):
    """IAM's no, with its code."""

    def __init__(self, code: str, operation: str) -> None:
        super().__init__(f"IAM refused {operation}: {code}")
        self.code = code


def _document(value: object) -> object:
    return json.loads(value) if isinstance(value, str) else value


def _untag(tags: "Iterable[TagTypeDef] | None") -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in tags or ()}


def _tags(tags: dict[str, str]) -> Any:
    return [{"Key": key, "Value": value} for key, value in tags.items()]
