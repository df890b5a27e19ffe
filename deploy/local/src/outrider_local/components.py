"""The components of the stack, in the order `outrider status` lists them."""

from outrider_local.airflow import Airflow
from outrider_local.component import Component
from outrider_local.kafka import Kafka
from outrider_local.names import SERVICES
from outrider_local.postgres import Postgres
from outrider_local.s3 import S3
from outrider_local.services import Service
from outrider_local.topics import Topics


def all_components() -> tuple[Component, ...]:
    """Every component of the stack."""
    return (Kafka(), Topics(), Postgres(), S3(), Airflow(), *map(Service, SERVICES))
