"""Outrider's own services: one process each, `python -m <service>`, ready when it says so itself."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass

import httpx

from outrider_local import kafka, postgres, s3, service_settings
from outrider_local.kubernetes import control_plane, node
from outrider_local.processes import Command
from outrider_local.stack import Stack
from outrider_local.topics import Topics

_PAGES = {"lineage": {"page": "/"}}
_NEEDS_S3 = ("tenancy", "storage")


@dataclass(frozen=True)
class Service:
    """One of tenancy, storage, lineage and sweep."""

    name: str

    @property
    def after(self) -> tuple[str, ...]:
        """Not Airflow, which is slower and which they wait for by themselves."""
        return (
            kafka.NAME, Topics.name, postgres.NAME, *((s3.NAME,) if self.name in _NEEDS_S3 else ()),
            *((control_plane.NAME,) if self.name == "tenancy" else ()),
            *((node.NAME,) if self.name == "storage" else ()),
        )  # fmt: skip

    def install(self, stack: Stack) -> None:
        """Part of the workspace that runs us."""

    def start(self, stack: Stack) -> None:
        if not stack.processes.alive(self.name):
            stack.ports.require_free(self.name)
        environment = service_settings.environment(stack, self.name)
        command = Command((sys.executable, "-m", self.name), cwd=stack.layout.home, env=environment)
        stack.processes.start(self.name, command)
        stack.await_ready(self.name, lambda: self.ready(stack), seconds=180)

    def ready(self, stack: Stack) -> bool:
        address = f"{service_settings.url(stack, self.name)}/health/ready"
        try:
            return httpx.get(address, timeout=2, trust_env=False).is_success
        except httpx.HTTPError:
            return False

    def stop(self, stack: Stack) -> None:
        stack.processes.stop(self.name)

    def endpoints(self, stack: Stack) -> Mapping[str, str]:
        base = service_settings.url(stack, self.name)
        return {"url": base, **{name: base + path for name, path in _PAGES.get(self.name, {}).items()}}
