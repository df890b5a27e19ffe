"""Secrets as files on one machine: `<root>/<team>/<name>`, JSON, readable by their owner alone."""

import asyncio
import json
import os
from collections.abc import Mapping
from pathlib import Path


def write_private(path: Path, text: str) -> None:
    """Put *text* whole in place of what was there: mode 0600, directories made 0700."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def read_private(path: Path) -> str:
    """The text, "" where there is none."""
    try:
        return path.read_text()
    except FileNotFoundError:
        return ""


class FileSecretStore:
    """One directory per team. Team ids and names are ours, so they are safe as file names."""

    def __init__(self, root: Path) -> None:
        self._root = root

    async def get(self, team: str, name: str) -> Mapping[str, str] | None:
        try:
            values: dict[str, str] = json.loads(await asyncio.to_thread((self._root / team / name).read_text))
        except FileNotFoundError:
            return None
        return values

    async def put(self, team: str, name: str, values: Mapping[str, str]) -> None:
        await asyncio.to_thread(write_private, self._root / team / name, json.dumps(dict(values), indent=2) + "\n")

    def reference(self, team: str, name: str) -> str:
        return f"file:{team}/{name}"
