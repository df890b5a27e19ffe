"""The components of the stack, in the order `outrider status` lists them."""

from collections.abc import Iterable, Mapping

from outrider_local import kafka, prerequisites
from outrider_local.airflow import Airflow
from outrider_local.component import Component
from outrider_local.kafka import Kafka
from outrider_local.kubernetes import control_plane, given, node, programs, spark_image
from outrider_local.kubernetes.control_plane import ControlPlane
from outrider_local.kubernetes.node import Node
from outrider_local.kubernetes.spark_image import SparkImage
from outrider_local.names import OPTIONAL, SERVICES
from outrider_local.postgres import Postgres
from outrider_local.prerequisites import Prerequisite
from outrider_local.s3 import S3
from outrider_local.services import Service
from outrider_local.stack import Stack
from outrider_local.topics import Topics

EXTRAS: Mapping[str, tuple[str, ...]] = {
    "kubernetes": (control_plane.NAME, node.NAME),
    "spark": (control_plane.NAME, node.NAME, spark_image.NAME),
}
"""What `outrider up --with NAME` brings besides the usual components."""


def all_components() -> tuple[Component, ...]:
    """Every component there is."""
    cluster = (ControlPlane(), Node(), SparkImage())
    return (Kafka(), Topics(), Postgres(), S3(), *cluster, Airflow(), *map(Service, SERVICES))


def usual_components(stack: Stack) -> tuple[Component, ...]:
    """What a plain `outrider up` starts: all but the optional ones, and of those what *stack* has up already."""
    return tuple(
        component
        for component in all_components()
        if component.name not in OPTIONAL or stack.processes_of(component.name) or _given(stack, component)
    )


def _given(stack: Stack, component: Component) -> bool:
    return component.name == control_plane.NAME and given.kubeconfig(stack) is not None


def prerequisites_of(stack: Stack, components: Iterable[Component]) -> tuple[Prerequisite, ...]:
    """Programs of this machine that *components* need and don't bring themselves."""
    return tuple(need for component in components for need in _needs(stack, component.name))


def _needs(stack: Stack, name: str) -> tuple[Prerequisite, ...]:
    if name == kafka.NAME:
        return prerequisites.of_kafka(stack.layout)
    if name in OPTIONAL and given.kubeconfig(stack):
        return ()
    if name == control_plane.NAME:
        return programs.needs(stack.layout)
    if name == spark_image.NAME:
        return (prerequisites.MAVEN,)
    return prerequisites.NODE if name == node.NAME else ()
