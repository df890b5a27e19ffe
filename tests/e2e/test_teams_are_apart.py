"""What one team may not do to another, asked of the real systems with the teams' own credentials."""

import base64
import json
import ssl
import time

import httpx
import pytest
from botocore.exceptions import ClientError
from confluent_kafka import Consumer, KafkaError, Producer
from outrider_cli.demo.neighbours import kafka_of, s3_of
from outrider_cli.demo.ride import Ride
from outrider_contracts.names import KUBERNETES_CONNECTION, DerivedNames
from outrider_contracts.topics import SHARED, team_events, team_inbox
from outrider_local import airflow_config
from outrider_local.kubernetes import node

from tests.e2e.support import objects, secrets
from tests.riding import Flown

PAIRS = [("ops", "newsroom"), ("newsroom", "ops")]


@pytest.mark.parametrize(("team", "other"), PAIRS)
def test_a_team_cannot_list_read_or_write_the_others_data(ride: Ride, flown: Flown, team: str, other: str) -> None:
    """S3 denies everything outside the team's prefix and the outputs granted to it."""
    s3 = s3_of(ride.stack, team)
    foreign = next(key for key in objects(ride, f"{other}/") if "/daily/" not in key)

    assert flown
    for call, arguments in (
        (s3.get_object, {"Key": foreign}),
        (s3.put_object, {"Key": f"{other}/planted", "Body": b""}),
        (s3.delete_object, {"Key": foreign}),
        (s3.list_objects_v2, {"Prefix": f"{other}/"}),
        (s3.list_objects_v2, {}),
    ):
        with pytest.raises(ClientError) as refused:
            call(Bucket="outrider", **arguments)
        assert refused.value.response["Error"]["Code"] == "AccessDenied"
    assert s3.list_objects_v2(Bucket="outrider", Prefix=f"{team}/")["KeyCount"] > 0


@pytest.mark.parametrize(("team", "other"), PAIRS)
def test_a_team_can_neither_read_nor_write_the_others_topics(ride: Ride, team: str, other: str) -> None:
    """Kafka refuses the other team's topics, and the team's own events topic for writing."""
    own = kafka_of(ride.stack, team)
    consumer = Consumer({**own, "group.id": f"outrider.team.{team}.probe", "auto.offset.reset": "earliest"})
    consumer.subscribe([team_events(other)])
    message = consumer.poll(20)
    consumer.close()

    assert message is not None
    error = message.error()
    assert error is not None
    assert error.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED
    for topic in (team_inbox(other), team_events(team), "outrider.airflow.v1", "outrider.tenants.desired.v1"):
        assert _produce(own, topic) == KafkaError.TOPIC_AUTHORIZATION_FAILED
    assert _produce(own, team_inbox(team)) is None


@pytest.mark.parametrize("team", ["ops", "newsroom"])
def test_a_team_can_neither_read_nor_write_any_shared_topic(ride: Ride, team: str) -> None:
    """Every topic of the registry, also those not written yet."""
    own, refused = kafka_of(ride.stack, team), KafkaError.TOPIC_AUTHORIZATION_FAILED
    shared = {spec.name: refused for spec in SHARED}

    assert _consume(own, f"outrider.team.{team}.probe", list(shared)) == shared
    assert {topic: _produce(own, topic) for topic in shared} == shared


@pytest.mark.parametrize(("team", "other"), PAIRS)
def test_a_team_can_neither_see_nor_start_pods_of_the_other(ride: Ride, team: str, other: str) -> None:
    """Asked with what the team's tasks have: their connection to Kubernetes."""
    if not node.claimed(ride.stack):
        pytest.skip("a node for pods needs root")
    kept = airflow_config.connections_directory(ride.stack) / team / KUBERNETES_CONNECTION
    config = json.loads(kept.read_text())["extra"]["kube_config"]
    cluster, token = config["clusters"][0]["cluster"], config["users"][0]["user"]["token"]
    authority = ssl.create_default_context(cadata=base64.b64decode(cluster["certificate-authority-data"]).decode())
    own, foreign = DerivedNames(team).namespace, DerivedNames(other).namespace

    with httpx.Client(
        base_url=f"{cluster['server']}/api/v1/", verify=authority, headers={"Authorization": f"Bearer {token}"}
    ) as api:
        assert api.get(f"namespaces/{own}/pods").status_code == 200
        refused = {
            path: api.get(path).status_code
            for path in (f"namespaces/{foreign}/pods", f"namespaces/{foreign}/secrets", f"namespaces/{own}/secrets",
                         "pods", "secrets", "nodes", "namespaces")
        }  # fmt: skip
        assert set(refused.values()) == {403}, refused
        assert api.post(f"namespaces/{foreign}/pods", json={}).status_code == 403


def test_no_secret_is_in_any_topic_or_log(ride: Ride, flown: Flown) -> None:
    """Every credential that was made is looked for wherever something is said."""
    assert flown
    made = secrets(ride)
    topics = ["outrider.tenants.status.v1", "outrider.audit.v1", "outrider.airflow.v1", "outrider.environments.v1"]
    topics += ["outrider.tenants.desired.v1", "outrider.lineage.v1", team_events("ops")]
    said = b"\n".join(record.value for topic in topics for record in ride.said(topic))
    logs = b"\n".join(path.read_bytes() for path in (ride.stack.layout.home / "logs").glob("*.log"))

    assert len(made) > 10
    assert not [name for name, secret in made.items() if secret in said or secret in logs]


def _consume(config: dict[str, str], group: str, topics: list[str]) -> dict[str, int | None]:
    answers: dict[str, int | None] = {}
    consumer = Consumer({**config, "group.id": group, "auto.offset.reset": "earliest"})
    consumer.subscribe(topics)
    deadline = time.monotonic() + 30
    while len(answers) < len(topics) and time.monotonic() < deadline:
        message = consumer.poll(1)
        if message is not None:
            error = message.error()
            answers[message.topic() or ""] = error.code() if error is not None else None
    consumer.close()
    return answers


def _produce(config: dict[str, str], topic: str) -> int | None:
    failures: list[int] = []
    producer = Producer({**config, "message.timeout.ms": 10_000})
    producer.produce(topic, b"{}", on_delivery=lambda error, _: failures.append(error.code()) if error else None)
    producer.flush(15)
    return failures[0] if failures else None
