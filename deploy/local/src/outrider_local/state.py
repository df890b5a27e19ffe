"""What a stack remembers between two commands (home/stack.json): its id, ports and the processes it started."""

import json
import os
import threading
import uuid
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field


class ProcessRecord(BaseModel):
    """A process that was started: never the pid alone, which the system may give to somebody else."""

    model_config = ConfigDict(frozen=True)

    pid: int
    born: str = Field(description="boot id and start time, as procfs.birth() says it")
    digest: str = Field(description="of the command it was started with")
    program: str
    workplace: str | None = None
    stop_signal: int
    stop_seconds: float


class Remembered(BaseModel):
    """The contents of stack.json."""

    model_config = ConfigDict(frozen=True)

    id: str = Field(default_factory=lambda: uuid.uuid4().hex)
    ports: Mapping[str, int] = {}
    set_ports: frozenset[str] = Field(default=frozenset(), description="names of ports a person chose")
    processes: Mapping[str, ProcessRecord] = {}
    notes: Mapping[str, str] = Field(default={}, description="what components remember, by component.key")


class State:
    """stack.json, read once and written whole after each change; safe between threads of one command."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.RLock()
        self._now = Remembered.model_validate_json(path.read_bytes()) if path.exists() else Remembered()

    @property
    def now(self) -> Remembered:
        return self._now

    def put_port(self, name: str, port: int, *, chosen: bool = False) -> None:
        with self._lock:
            chosen_names = self._now.set_ports | {name} if chosen else self._now.set_ports
            self._write(ports={**self._now.ports, name: port}, set_ports=chosen_names)

    def forget_port(self, name: str) -> None:
        with self._lock:
            kept = {key: port for key, port in self._now.ports.items() if key != name}
            self._write(ports=kept, set_ports=self._now.set_ports - {name})

    def put_process(self, name: str, record: ProcessRecord) -> None:
        with self._lock:
            self._write(processes={**self._now.processes, name: record})

    def forget_process(self, name: str) -> None:
        with self._lock:
            self._write(processes={key: kept for key, kept in self._now.processes.items() if key != name})

    def note(self, key: str, value: str) -> None:
        with self._lock:
            self._write(notes={**self._now.notes, key: value})

    def save(self) -> None:
        """Write the file as it is, so that the id of a new stack is kept before anything is started under it."""
        with self._lock:
            self._write()

    def _write(self, **changes: object) -> None:
        self._now = self._now.model_copy(update=changes)
        text = json.dumps(self._now.model_dump(mode="json"), indent=1, sort_keys=True)
        beside = self._path.with_suffix(f".{os.getpid()}.tmp")
        beside.write_text(text + "\n")
        beside.replace(self._path)
