"""Waiting for a sealed output without a worker: put off and asked again, or deferred to the triggerer."""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowRescheduleException
from airflow.triggers.base import BaseTrigger, TriggerEvent
from outrider_contracts.http import OutputRequest

from outrider_airflow.attempt import Attempt
from outrider_airflow.client import StorageClient
from outrider_airflow.connection import StorageAccess, storage_access_async
from outrider_airflow.declared import declaration
from outrider_airflow.errors import EnvironmentRefused, EnvironmentUnavailable, InputAwaited

WAITED = "outrider_waited"
"""`next_method` of a task that was deferred until its input may be there."""
_ONE_LOOK_SECONDS = 2.0
_LOOKERS = ThreadPoolExecutor(4, thread_name_prefix="outrider-look")
"""Looks at a storage that does not answer hold these, and none of the threads that other triggers wait for."""
_SPARE = timedelta(minutes=2)
_SHORTEST_PAUSE = timedelta(seconds=30)
"""Airflow 3.3 fails a task that begins again before its executor has told of the process before it."""


def wait_for_input(operator: BaseOperator, attempt: Attempt, awaited: InputAwaited) -> NoReturn:
    """Leave the worker until the input may be there: deferred where the operator is deferrable, else put off.

    Storage counts how long; it refuses the input once the time its declaration allows is over.
    """
    not_ready = awaited.not_ready
    operator.log.info("Put off, waiting at most until %s: %s", not_ready.until, not_ready.waiting_for)
    now = datetime.now(UTC)
    if getattr(operator, "deferrable", False) and not_ready.input and not_ready.until:
        request = attempt.look(declaration(operator).inputs[not_ready.input])
        trigger = OutputSealedTrigger(
            request.model_dump(mode="json"), not_ready.retry_after_seconds, not_ready.until.isoformat()
        )
        operator.defer(trigger=trigger, method_name=WAITED, timeout=max(not_ready.until - now, timedelta(0)) + _SPARE)
    pause = max(timedelta(seconds=not_ready.retry_after_seconds), _SHORTEST_PAUSE)
    raise AirflowRescheduleException(now + pause)  # type: ignore[no-untyped-call]  # Airflow's own


class OutputSealedTrigger(BaseTrigger):
    """Asks storage now and then whether an output is sealed; fires when it is, was refused, or *until* has come.

    The event is `{"sealed": bool, "refused": str}`. A storage that is away is waited for.

    :param request: what is asked, an `OutputRequest` as JSON
    :param every: seconds between two questions
    :param until: when to give up (ISO 8601), None: never; the task's own timeout ends it then
    """

    def __init__(self, request: dict[str, Any], every: float = 5.0, until: str | None = None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow's own
        self.request, self.every, self.until = request, every, until

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """As Airflow keeps it."""
        kind = type(self)
        return f"{kind.__module__}.{kind.__qualname__}", {
            "request": self.request, "every": self.every, "until": self.until,
        }  # fmt: skip

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Ask until there is an answer."""
        request = OutputRequest.model_validate(self.request)
        ends = None if self.until is None else datetime.fromisoformat(self.until)
        look = asyncio.get_running_loop().run_in_executor
        try:
            with StorageClient(await self._access()) as storage:
                while not await look(_LOOKERS, is_sealed, storage, request):
                    if ends is not None and datetime.now(UTC) >= ends:
                        yield _event(sealed=False)
                        return
                    await asyncio.sleep(self.every)
        except EnvironmentRefused as refusal:
            yield _event(sealed=False, refused=str(refusal))
            return
        yield _event(sealed=True)

    async def _access(self) -> StorageAccess:
        """Where storage is, as soon as Airflow can say."""
        while True:
            try:
                return await storage_access_async()
            except EnvironmentUnavailable as away:
                self.log.warning("%s", away)
            await asyncio.sleep(self.every)


def _event(*, sealed: bool, refused: str = "") -> TriggerEvent:
    return TriggerEvent({"sealed": sealed, "refused": refused})  # type: ignore[no-untyped-call]  # Airflow's own


def is_sealed(storage: StorageClient, request: OutputRequest) -> bool:
    """Ask once. A storage that is away knows of nothing sealed. Raises EnvironmentRefused."""
    try:
        storage.sealed(request, within=_ONE_LOOK_SECONDS)
    except (InputAwaited, EnvironmentUnavailable):
        return False
    return True
