"""A team at the platform's doors with its own credentials: what S3 and Kafka answer it."""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

import boto3
from botocore.exceptions import ClientError
from confluent_kafka import Consumer, KafkaException
from outrider_contracts.topics import team_events
from outrider_local.stack import Stack

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client


def secret_of(stack: Stack, team: str, name: str) -> dict[str, str]:
    """What tenancy keeps for the team under *name* (iam, kafka, postgres)."""
    values: dict[str, str] = json.loads((stack.layout.secrets / "teams" / team / name).read_text())
    return values


def s3_of(stack: Stack, team: str) -> "S3Client":
    """S3 as the team's own IAM user."""
    key = secret_of(stack, team, "iam")
    client: S3Client = boto3.client(
        "s3",
        endpoint_url=key["endpoint_url"],
        region_name=key["region"],
        aws_access_key_id=key["aws_access_key_id"],
        aws_secret_access_key=key["aws_secret_access_key"],
    )
    return client


def kafka_of(stack: Stack, team: str) -> dict[str, str]:
    """confluent-kafka configuration of the team's own user."""
    key = secret_of(stack, team, "kafka")
    return {
        "bootstrap.servers": key["bootstrap_servers"],
        "security.protocol": key["security_protocol"],
        "sasl.mechanism": key["sasl_mechanism"],
        "sasl.username": key["username"],
        "sasl.password": key["password"],
    }


def refusals(stack: Stack, team: str, other: str, foreign_key: str) -> list[tuple[str, str]]:
    """What *team* tries at *other*'s doors, and the error each one answers with."""
    s3, bucket = s3_of(stack, team), secret_of(stack, team, "iam")["bucket"]
    tried: dict[str, Callable[[], object]] = {
        f"s3 get {foreign_key}": lambda: s3.get_object(Bucket=bucket, Key=foreign_key),
        f"s3 list {other}/": lambda: s3.list_objects_v2(Bucket=bucket, Prefix=f"{other}/"),
    }
    answers = [(what, _refusal(act)) for what, act in tried.items()]
    topic = team_events(other)
    answers.append((f"kafka read {topic}", _read(kafka_of(stack, team), team, topic)))
    return answers


def _read(config: dict[str, str], team: str, topic: str) -> str:
    group = f"outrider.team.{team}.visitor"
    consumer = Consumer({**config, "group.id": group, "auto.offset.reset": "earliest", "log_level": 0})
    try:
        consumer.subscribe([topic])
        message = consumer.poll(20)
    except KafkaException as error:
        return str(error.args[0])
    finally:
        consumer.close()
    refused = message.error() if message is not None else None
    return str(refused) if refused is not None else "NOT REFUSED"


def _refusal(act: Callable[[], object]) -> str:
    try:
        act()
    except ClientError as error:
        return str(error)
    return "NOT REFUSED"
