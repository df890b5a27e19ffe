"""What the fixtures hand out is usable as it is."""

import asyncpg
import boto3
from confluent_kafka.admin import AdminClient
from outrider_contracts.topics import SHARED
from outrider_local.handles import Database, RunningKafka, RunningS3


async def test_a_module_gets_an_empty_database_of_its_own(database: Database) -> None:
    connection = await asyncpg.connect(database.dsn)
    try:
        tables = await connection.fetch("SELECT 1 FROM pg_tables WHERE schemaname = 'public'")
    finally:
        await connection.close()

    assert tables == []


def test_every_shared_topic_is_there(shared_topics: RunningKafka) -> None:
    names = AdminClient({**shared_topics.client_config()}).list_topics(timeout=10).topics

    assert {spec.name for spec in SHARED} <= set(names)


def test_the_storage_service_may_write_the_bucket(s3: RunningS3) -> None:
    client = boto3.Session(**s3.session("storage")).client("s3", endpoint_url=s3.url)

    client.put_object(Bucket=s3.bucket, Key="a/b", Body=b"c")

    assert client.get_object(Bucket=s3.bucket, Key="a/b")["Body"].read() == b"c"
