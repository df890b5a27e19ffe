"""One stack: where it lies and what it remembers. Handed to every component."""

import fcntl
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from outrider_local import procfs
from outrider_local.errors import StackError, StartFailed
from outrider_local.layout import Layout, default_cache, default_home
from outrider_local.ports import Ports
from outrider_local.processes import Processes
from outrider_local.secret_files import SecretFiles
from outrider_local.state import State
from outrider_local.waiting import wait_until


@dataclass(frozen=True)
class Stack:
    """A stack by its home. Two stacks with different homes never touch one another."""

    layout: Layout
    state: State
    ports: Ports
    secrets: SecretFiles
    processes: Processes

    @classmethod
    def open(cls, home: Path | None = None, cache: Path | None = None) -> Self:
        """The stack at *home* (default: layout.default_home()), made when it is not there yet."""
        layout = Layout(home=(home or default_home()).absolute(), cache=(cache or default_cache()).absolute())
        layout.make()
        state = State(layout.state_file)
        state.save()
        return cls(
            layout=layout,
            state=state,
            ports=Ports(state, layout.home),
            secrets=SecretFiles(layout.secrets),
            processes=Processes(state, layout),
        )

    def processes_of(self, component: str) -> tuple[str, ...]:
        """Names of the processes of *component* this stack remembers to have started."""
        return tuple(name for name in self.processes.names() if name == component or name.startswith(f"{component}-"))

    def resident_bytes(self, component: str) -> int:
        """Memory of the processes of *component* and all they started; what several share is counted once in all."""
        pids = {pid for name in self.processes_of(component) for pid in self.processes.members(name)}
        return sum(map(procfs.resident_bytes, pids))

    @contextmanager
    def exclusively(self) -> Iterator[None]:
        """Hold the stack for one command that changes it. Raises StackError when another one runs."""
        with self.layout.lock_file.open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise StackError(
                    f"another `outrider up`, `down` or `reset` is at work in {self.layout.home}; wait for it to end."
                ) from None
            yield

    def await_ready(self, process: str, ready: Callable[[], bool], *, seconds: float) -> None:
        """Wait until *ready* is true. Raises StartFailed when *process* dies first or *seconds* have passed."""
        self.await_all_ready((process,), ready, seconds=seconds)

    def await_all_ready(self, processes: Sequence[str], ready: Callable[[], bool], *, seconds: float) -> None:
        """The same for several: the death of any is noticed at once."""

        def settled() -> bool:
            return not all(map(self.processes.alive, processes)) or ready()

        in_time = wait_until(settled, seconds=seconds, every=0.1)
        dead = [process for process in processes if not self.processes.alive(process)]
        if in_time and not dead:
            return
        process = dead[0] if dead else processes[0]
        what = f"was not ready after {seconds:.0f} s" if not in_time else "ended while starting"
        log = self.layout.log(process)
        raise StartFailed(f"{process} {what}. Last lines of {log}:\n{self.processes.log_tail(process)}")
