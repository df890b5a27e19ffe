"""Ports of a stack: free ones are picked and remembered, a person may set one."""

import socket
import threading
import zlib
from pathlib import Path

from outrider_local.errors import PortTaken
from outrider_local.state import State
from outrider_local.waiting import wait_until

# below the range Linux and macOS hand out for outgoing connections, which would now and then take a port of ours
FIRST, COUNT = 20_000, 12_000
_LINGER_SECONDS = 3.0


def is_free(port: int) -> bool:
    """Say whether a server could listen on 127.0.0.1:*port* now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def unused_port() -> int:
    """A port nobody listens on, for something short-lived."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Ports:
    """The ports of one stack, by name ("kafka", "airflow-api")."""

    def __init__(self, state: State, home: Path) -> None:
        self._state = state
        self._seed = str(home)
        self._lock = threading.Lock()

    def of(self, name: str) -> int:
        """The port remembered under *name*; a free one is picked the first time and kept from then on."""
        with self._lock:
            if (known := self._state.now.ports.get(name)) is not None:
                return known
            port = self._pick(name)
            self._state.put_port(name, port)
            return port

    def set(self, name: str, port: int) -> None:
        """Use *port* for *name* from the next start on."""
        self._state.put_port(name, port, chosen=True)

    def require_free(self, name: str) -> int:
        """The port of *name*, which somebody is about to listen on. Raises PortTaken."""
        port = self.of(name)
        # a process that was killed just now may hold it until its last thread has ended
        if not wait_until(lambda: is_free(port), seconds=_LINGER_SECONDS):
            raise PortTaken(
                f"port {port} of {name} is in use by another process.\n"
                f"Stop that process, or choose another port: outrider down && outrider up --port {name}=NUMBER"
            )
        return port

    def forget_taken(self) -> None:
        """Forget picked ports that others took meanwhile. Only for a stack of which nothing runs."""
        with self._lock:
            for name, port in self._state.now.ports.items():
                if name not in self._state.now.set_ports and not is_free(port):
                    self._state.forget_port(name)

    def _pick(self, name: str) -> int:
        used = set(self._state.now.ports.values())
        start = zlib.crc32(f"{self._seed}\0{name}".encode())
        for step in range(COUNT):
            port = FIRST + (start + step) % COUNT
            if port not in used and is_free(port):
                return port
        raise PortTaken(f"no free port for {name} between {FIRST} and {FIRST + COUNT}")
