"""What the end-to-end tests look at beyond what a person is shown."""

import configparser
import json
import ssl

import boto3
import httpx
from outrider_cli.demo.ride import Ride
from outrider_local import s3
from outrider_local.kubernetes import control_plane
from outrider_local.names import BUCKET, REGION


def objects(ride: Ride, prefix: str) -> list[str]:
    """Keys below *prefix* as the platform's root sees them."""
    profiles = configparser.ConfigParser(interpolation=None)
    profiles.read(s3.credentials_file(ride.stack))
    key = profiles["root"]
    session = boto3.Session(key["aws_access_key_id"], key["aws_secret_access_key"], region_name=REGION)
    client = session.client("s3", endpoint_url=s3.url(ride.stack))
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
    return [entry["Key"] for page in pages for entry in page.get("Contents", [])]


def cluster_of(ride: Ride) -> httpx.Client:
    """The stack's Kubernetes as its administrator is answered; paths begin behind /api/v1/."""
    known = control_plane.identities(ride.stack)
    context = ssl.create_default_context(cafile=str(known.ca_file))
    context.load_cert_chain(*known.client("admin", ("system:masters",)))
    return httpx.Client(base_url=f"{known.server}/api/v1/", verify=context, trust_env=False)


def secrets(ride: Ride) -> dict[str, bytes]:
    """Every secret the stack and tenancy made, by its file; values of JSON files one by one."""
    found: dict[str, bytes] = {}
    for path in sorted(p for p in ride.stack.layout.secrets.rglob("*") if p.is_file()):
        text = path.read_text()
        name = str(path.relative_to(ride.stack.layout.secrets))
        if path.parent.parent.name == "teams":
            values = json.loads(text)
            found |= {f"{name}:{k}": str(v).encode() for k, v in values.items() if "password" in k or "secret" in k}
        elif path.parent == ride.stack.layout.secrets and path.name.startswith(
            ("kafka-", "postgres-", "client-", "airflow-")
        ):
            found[name] = text.strip().encode()
    return found
