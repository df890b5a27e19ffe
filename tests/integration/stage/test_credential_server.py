"""A job in `uris` mode talks to S3 itself, with an SDK that knows nothing of Outrider."""

import json
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable

import pytest
from outrider_contracts.http import Credentials, StoreAddress
from outrider_stage.credential_server import serve_credentials

JOB = """
import boto3, json, os
s3 = boto3.client("s3")
s3.put_object(Bucket=os.environ["BUCKET"], Key="ads/served/a", Body=b"1")
found = boto3.Session().get_credentials()
print(json.dumps([found.method, found.access_key]))
"""


def test_an_sdk_finds_the_credentials_by_itself(address: StoreAddress, assume: Callable[[int], Credentials]) -> None:
    """The standard env variables of container credentials are all it needs."""
    given = assume(900)

    with serve_credentials(lambda: given) as variables:
        job = subprocess.run(
            [sys.executable, "-c", JOB],
            env={**variables, "BUCKET": address.bucket, "AWS_ENDPOINT_URL_S3": str(address.endpoint_url)}
            | {"AWS_REGION": address.region, "AWS_DEFAULT_REGION": address.region},
            capture_output=True,
            check=True,
        )

    assert json.loads(job.stdout) == ["container-role", given.access_key_id]


def test_nobody_else_gets_them(assume: Callable[[int], Credentials]) -> None:
    """Other users of the machine can reach the port; they lack the token."""
    with serve_credentials(lambda: assume(900)) as variables, pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(variables["AWS_CONTAINER_CREDENTIALS_FULL_URI"], timeout=5)

    with refused.value as answer:
        assert answer.code == 403
