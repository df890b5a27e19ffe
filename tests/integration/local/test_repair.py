"""`up` after kill -9 of anything starts what died, with its data, and leaves the rest alone."""

import os
import signal
import socket

import asyncpg
import boto3
import pytest
from confluent_kafka.admin import AdminClient, NewTopic
from outrider_local import postgres_roles
from outrider_local.components import all_components
from outrider_local.errors import StartFailed
from outrider_local.handles import Database, RunningKafka, RunningPostgres, RunningS3
from outrider_local.runner import bring_up, with_needs
from outrider_local.stack import Stack

SYSTEMS = ("kafka", "postgres", "s3")


@pytest.fixture
def running(kafka: RunningKafka, postgres: RunningPostgres, s3: RunningS3, stack: Stack) -> Stack:
    """A stack with all three systems."""
    return stack


def pids(stack: Stack) -> dict[str, int | None]:
    return {name: stack.processes.pid(name) for name in SYSTEMS}


def kill_and_repair(stack: Stack, name: str) -> None:
    """Kill the component and run `up`; only it may have been started again."""
    before = pids(stack)
    victim = before[name]
    assert victim is not None
    os.kill(victim, signal.SIGKILL)

    outcome = bring_up(stack, with_needs(SYSTEMS, all_components()))

    assert not outcome.failed
    assert {other: pid for other, pid in pids(stack).items() if other != name} == {
        other: pid for other, pid in before.items() if other != name
    }
    assert pids(stack)[name] not in (None, victim)


def test_kafka_keeps_its_topics(running: Stack, kafka: RunningKafka) -> None:
    client = AdminClient({**kafka.client_config()})
    client.create_topics([NewTopic("kept", 1, 1)])["kept"].result(10)

    kill_and_repair(running, "kafka")

    assert "kept" in AdminClient({**kafka.client_config()}).list_topics(timeout=10).topics


async def test_postgres_keeps_what_was_committed(running: Stack, database: Database) -> None:
    connection = await asyncpg.connect(database.dsn)
    await connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    connection.terminate()

    kill_and_repair(running, "postgres")

    connection = await asyncpg.connect(database.dsn)
    try:
        answer = await connection.fetchval("SELECT answer FROM kept")
    finally:
        await connection.close()
    assert answer == 42


def test_roles_that_can_not_be_made_are_a_failure_in_words(running: Stack) -> None:
    """It went away when it had just been ready."""
    with socket.socket() as taken:  # nobody listens there
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(StartFailed, match=r"did not take its roles: .*; see `outrider logs postgres`"):
            postgres_roles.apply(taken.getsockname()[1], running.secrets)


def test_s3_keeps_objects_users_and_keys(running: Stack, s3: RunningS3) -> None:
    root = boto3.Session(**s3.session("root"))
    storage = boto3.Session(**s3.session("storage")).client("s3", endpoint_url=s3.url)
    root.client("iam", endpoint_url=s3.url).create_user(UserName="made-just-now")
    storage.put_object(Bucket=s3.bucket, Key="kept", Body=b"bytes")

    kill_and_repair(running, "s3")

    users = root.client("iam", endpoint_url=s3.url).list_users()["Users"]
    assert "made-just-now" in {user["UserName"] for user in users}
    assert storage.get_object(Bucket=s3.bucket, Key="kept")["Body"].read() == b"bytes"


def test_nobody_is_root_by_saying_test(s3: RunningS3) -> None:
    guessed = boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name=s3.region)
    client = guessed.client("iam", endpoint_url=s3.url)

    with pytest.raises(client.exceptions.ClientError, match="InvalidClientTokenId"):
        client.list_users()
