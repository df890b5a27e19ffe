"""Airflow and its tasks in the storm: they say facts on Kafka and ask storage over HTTP until they are answered."""

import asyncio
from collections.abc import Iterable
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Self

import aioboto3
import httpx
from confluent_kafka import Producer
from outrider_contracts.envelope import encode
from outrider_contracts.environments import Manifest
from outrider_contracts.http import EnsureRequest, Environment, SealRequest
from outrider_contracts.model import Model
from outrider_contracts.places import MANIFEST
from outrider_local import identities, kafka, service_settings
from outrider_local.handles import RunningS3
from outrider_local.stack import Stack

from tests.faults.storm_load import Step

if TYPE_CHECKING:
    from types_aiobotocore_s3.client import S3Client

_PAUSE = 0.3
_ANSWER_SECONDS = 20


class Riders:
    """Airflow's principal on one stack."""

    def __init__(self, stack: Stack) -> None:
        config = {**kafka.client_config(stack, "airflow"), "acks": "all", "linger.ms": 5, "log_level": 0}
        self._kafka = Producer({**config, "max.in.flight": 1})  # what is sent again must not overtake
        self._http = httpx.AsyncClient(timeout=_ANSWER_SECONDS, trust_env=False)
        self._urls = {name: service_settings.url(stack, name) for name in ("storage", "tenancy")}
        self._secret = identities.client_secret(stack.secrets, "airflow").read_text().strip()
        self._token = ""
        store = RunningS3(stack)
        session = aioboto3.Session(**store.session("root"))
        self._opening: AbstractAsyncContextManager[S3Client] = session.client("s3", endpoint_url=store.url)

    async def __aenter__(self) -> Self:
        self._s3 = await self._opening.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._opening.__aexit__(None, None, None)
        await self._http.aclose()

    async def ride(self, steps: Iterable[Step]) -> None:
        """One run from its start to its end, whatever is away meanwhile."""
        given: Environment | None = None
        for step in steps:
            if isinstance(step, EnsureRequest):
                given = Environment.model_validate(await self._ask("ensure", step))
            elif isinstance(step, SealRequest):
                await self._write(step, given)
                await self._ask("seal", step)
            else:
                spelt = encode(step, source="/airflow/test")
                self._kafka.produce(spelt.topic, spelt.value, spelt.key, headers=list(spelt.headers))
                self._kafka.poll(0)

    async def flush(self) -> None:
        """Wait until Kafka has all that was said; librdkafka says it until then."""
        assert not await asyncio.to_thread(self._kafka.flush, 120)

    async def _write(self, step: SealRequest, given: Environment | None) -> None:
        assert given is not None
        if step.outcome == "success":
            body = step.task.run_id.encode()
            manifest = Manifest(files=(Manifest.File(path="part", size=len(body)),)).model_dump_json().encode()
            for place in given.outputs.values():
                for name, content in (("part", body), (MANIFEST, manifest)):  # written last, it makes a version
                    await self._s3.put_object(Bucket=given.store.bucket, Key=place.path + name, Body=content)

    async def _ask(self, act: str, request: Model) -> object:
        """What storage answers in the end. What is no answer of its own is asked again: it may be away for long."""
        while True:
            try:
                body = request.model_dump_json()
                answer = await self._post(f"{self._urls['storage']}/v1/environments/{act}", body)
            except httpx.TransportError:
                answer = None
            if answer is not None and answer.status_code == 200:
                return answer.json()
            assert answer is None or answer.status_code in (202, 401) or answer.status_code >= 500, answer.text
            if answer is not None and answer.status_code == 401:
                self._token = ""
            await asyncio.sleep(_PAUSE)

    async def _post(self, url: str, body: str) -> httpx.Response:
        if not self._token:
            wanted = {"grant_type": "client_credentials"}
            answer = await self._http.post(
                f"{self._urls['tenancy']}/v1/token", data=wanted, auth=("airflow", self._secret)
            )
            if not answer.is_success:
                return answer
            self._token = answer.json()["access_token"]
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        return await self._http.post(url, content=body, headers=headers)
