"""Versions in an S3 bucket, reached with one try's short-lived credentials."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO

from boto3.session import Session
from botocore.config import Config
from botocore.credentials import CredentialProvider, CredentialResolver, RefreshableCredentials
from botocore.exceptions import BotoCoreError, ClientError
from botocore.session import get_session
from outrider_contracts.environments import Manifest
from outrider_contracts.http import StoreAddress
from outrider_contracts.places import MANIFEST
from s3transfer.exceptions import RetriesExceededError
from s3transfer.manager import TransferConfig, TransferManager

from outrider_stage.credentials import CredentialSource, sdk_form
from outrider_stage.errors import StoreUnavailable

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_UNLISTED = re.compile(r"[^\t\n\x20-\uD7FF\uE000-\uFFFD\U00010000-\U0010FFFF]")
"""What XML 1.0 has no character for, and the carriage return, which it reads as another."""
_ABSENT = frozenset({"NoSuchKey", "404", "NotFound"})
_TAKEN = frozenset({"PreconditionFailed", "412", "ConditionalRequestConflict"})


class S3Store:
    """A `Store` in a bucket. The credentials' source is asked again before what it gave last expires."""

    def __init__(self, address: StoreAddress, credentials: CredentialSource) -> None:
        self._bucket = address.bucket
        self._client = _client(address, credentials)
        # one for all files: in memory are up to 15 parts on their way out, and 100 pieces of those on their way in
        self._transfers = TransferManager(
            self._client,
            TransferConfig(
                multipart_chunksize=16 << 20,
                multipart_threshold=32 << 20,
                max_request_concurrency=24,
                max_io_queue_size=100,
            ),
        )

    def manifest(self, version: str) -> Manifest | None:
        """Read `_manifest.json`."""
        with _ours(f"s3://{self._bucket}/{version}{MANIFEST}"):
            try:
                body = self._client.get_object(Bucket=self._bucket, Key=version + MANIFEST)["Body"].read()
            except ClientError as error:
                if _code(error) in _ABSENT:
                    return None
                raise
        return Manifest.model_validate_json(body)

    def fetch(self, version: str, path: str, into: BinaryIO) -> None:
        """Download one object."""
        with _ours(f"s3://{self._bucket}/{version}{path}"):
            try:
                self._transfers.download(self._bucket, version + path, into).result()
            except ClientError as error:
                if _code(error) in _ABSENT:
                    raise FileNotFoundError(f"s3://{self._bucket}/{version}{path}") from None
                raise

    def put(self, version: str, path: str, content: BinaryIO) -> None:
        """Upload one object, in parts where it is large. Raises ValueError for a name that no key can have."""
        if _UNLISTED.search(path):
            raise ValueError(f"the name {path!r} can't be listed in S3; rename the file")
        with _ours(f"s3://{self._bucket}/{version}{path}"):
            self._transfers.upload(content, self._bucket, version + path).result()

    def commit(self, version: str, manifest: Manifest) -> None:
        """Put the manifest under the condition that there is none."""
        key = version + MANIFEST
        with _ours(f"s3://{self._bucket}/{key}"):
            try:
                self._client.put_object(
                    Bucket=self._bucket,
                    Key=key,
                    Body=manifest.model_dump_json().encode(),
                    ContentType="application/json",
                    IfNoneMatch="*",
                )
            except ClientError as error:
                if _code(error) not in _TAKEN or (there := self.manifest(version)) is None:
                    raise
                if there != manifest:
                    raise FileExistsError(f"s3://{self._bucket}/{key}") from None


class _Given(CredentialProvider):
    """The only provider of our sessions: nothing of the process's environment or files is ever asked."""

    METHOD = "outrider"

    def __init__(self, source: CredentialSource) -> None:
        super().__init__()
        self._source = source

    def load(self) -> RefreshableCredentials:
        """Credentials the SDK renews by itself."""
        return RefreshableCredentials.create_from_metadata(
            self._renew(), refresh_using=self._renew, method=self.METHOD, advisory_timeout=240, mandatory_timeout=60
        )

    def _renew(self) -> dict[str, str]:
        given = sdk_form(self._source())
        return {
            "access_key": given["AccessKeyId"],
            "secret_key": given["SecretAccessKey"],
            "token": given["Token"],
            "expiry_time": given["Expiration"],
        }


def _client(address: StoreAddress, credentials: CredentialSource) -> "S3Client":
    session = get_session()
    session.register_component("credential_provider", CredentialResolver([_Given(credentials)]))
    client: S3Client = Session(botocore_session=session).client(
        "s3",
        endpoint_url=address.endpoint_url,
        region_name=address.region,
        config=Config(
            retries={"mode": "standard", "total_max_attempts": 5},
            connect_timeout=10,
            read_timeout=60,
            max_pool_connections=32,
            s3={"addressing_style": "path" if address.endpoint_url else "auto"},
        ),
    )
    return client


def _code(error: ClientError) -> str:
    return error.response.get("Error", {}).get("Code", "")


@contextmanager
def _ours(what: str) -> Iterator[None]:
    """Turn what the SDK raises into ours, naming what was reached for."""
    try:
        yield
    except ClientError as error:
        message = error.response.get("Error", {}).get("Message", "")
        raise StoreUnavailable(f"{what}: {_code(error)}: {message}") from error
    except BotoCoreError as error:
        raise StoreUnavailable(f"{what}: {error}") from error
    except RetriesExceededError as error:
        raise StoreUnavailable(f"{what}: {error.last_exception}") from error
