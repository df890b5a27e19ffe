"""Asking the services about their bus: each keeps its own parked lanes, outbox and settled dead letters."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from outrider_contracts.model import Model
from outrider_local.names import SERVICES

from outrider_cli.connection import Connection, NotConnected
from outrider_cli.events_context import warn

M = TypeVar("M", bound=Model)


def ask_each(connection: Connection, path: str, kind: type[M], services: Sequence[str] = SERVICES) -> dict[str, M]:
    """The answers of those that answer; who does not is said on stderr. Raises NotConnected where nobody does."""

    def one(service: str) -> M | NotConnected:
        try:
            return kind.model_validate(connection.ask(service, path))
        except NotConnected as error:
            return error

    with ThreadPoolExecutor() as pool:
        answers = dict(zip(services, pool.map(one, services), strict=True))
    told = {service: answer for service, answer in answers.items() if not isinstance(answer, NotConnected)}
    silent = [str(answer) for answer in answers.values() if isinstance(answer, NotConnected)]
    if not told:
        raise NotConnected("; ".join(dict.fromkeys(silent)))
    for message in silent:
        warn(message)
    return told


def post(connection: Connection, service: str, path: str, request: Model, kind: type[M], *, seconds: float = 120) -> M:
    """Have *service* act, and its answer. Raises NotConnected."""
    body: Mapping[str, object] = request.model_dump(mode="json")
    return kind.model_validate(connection.ask(service, path, "POST", json=body, timeout=seconds))
