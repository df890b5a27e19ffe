"""Secrets of one stack: files only their owner can read, never values in an environment or a command line."""

import os
import secrets
import threading
from pathlib import Path


class SecretFiles:
    """home/secrets: directories 0700, files 0600, each written whole."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._lock = threading.Lock()

    def path(self, name: str) -> Path:
        """Where the secret *name* ("kafka-admin") lies or will lie."""
        return self._root / name

    def password(self, name: str) -> str:
        """The password kept under *name*, made the first time: 32 characters of [A-Za-z0-9_-]."""
        with self._lock:
            if not self.path(name).exists():
                self.write(name, secrets.token_urlsafe(24))
            return self.path(name).read_text()

    def write(self, name: str, text: str) -> Path:
        """Keep *text* under *name*, replacing what was there; return the file."""
        path = self.path(name)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        beside = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
        beside.replace(path)
        return path

    def directory(self, name: str) -> Path:
        """A directory for secrets others keep ("teams"), 0700."""
        path = self.path(name)
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        return path
