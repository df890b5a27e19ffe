"""What nodes of several stacks share on one machine: who has which pod network, and kernel settings as they were.

Kept below /run, which ends with the machine, as all of it does.
"""

import fcntl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from outrider_local.errors import StartFailed
from outrider_local.kubernetes import network
from outrider_local.stack import Stack
from outrider_local.state import Remembered

DIRECTORY = Path("/run/outrider")
# what the kubelet and the network plugin set and never set back
_SETTINGS = (
    "vm/overcommit_memory",
    "vm/panic_on_oom",
    "kernel/panic",
    "kernel/panic_on_oops",
    "net/ipv4/ip_forward",
)
_PROC_SYS = Path("/proc/sys")


class Claim(BaseModel):
    """A node that runs, or was killed and not yet taken down."""

    model_config = ConfigDict(frozen=True)

    home: Path
    subnet: int


class Nodes(BaseModel):
    """The contents of nodes.json."""

    model_config = ConfigDict(frozen=True)

    settings: Mapping[str, str] = {}
    claims: Mapping[str, Claim] = {}


def claim(stack: Stack) -> int:
    """The number of the stack's pod network: its own from now until `release`. Raises StartFailed when none is free."""
    own = stack.state.now.id
    with _locked() as file:
        nodes = _read(file)
        claims = {stack_id: held for stack_id, held in nodes.claims.items() if _lives(stack_id, held)}
        if own not in claims:
            taken = {held.subnet for held in claims.values()}
            claims[own] = Claim(home=stack.layout.home, subnet=_pick(taken))
        settings = nodes.settings or {name: (_PROC_SYS / name).read_text().strip() for name in _SETTINGS}
        file.write_text(Nodes(settings=settings, claims=claims).model_dump_json(indent=1))
        return claims[own].subnet


def claimed(stack: Stack) -> int | None:
    """The number of the stack's pod network; None where it has none."""
    file = DIRECTORY / "nodes.json"
    held = _read(file).claims.get(stack.state.now.id)
    return held.subnet if held else None


def release(stack: Stack) -> bool:
    """Give the pod network back; the last one gives the machine its settings back. Say whether it was the last."""
    with _locked() as file:
        nodes = _read(file)
        claims = {stack_id: held for stack_id, held in nodes.claims.items() if stack_id != stack.state.now.id}
        if any(_lives(stack_id, held) for stack_id, held in claims.items()):
            file.write_text(nodes.model_copy(update={"claims": claims}).model_dump_json(indent=1))
            return False
        for name, value in nodes.settings.items():
            if (_PROC_SYS / name).read_text().strip() != value:
                (_PROC_SYS / name).write_text(value)
        file.unlink(missing_ok=True)
        return True


@contextmanager
def _locked() -> Iterator[Path]:
    DIRECTORY.mkdir(mode=0o755, exist_ok=True)
    with (DIRECTORY / "nodes.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield DIRECTORY / "nodes.json"


def _read(file: Path) -> Nodes:
    return Nodes.model_validate_json(file.read_bytes()) if file.exists() else Nodes()


def _lives(stack_id: str, held: Claim) -> bool:
    """Say whether the stack is still there: one whose home was deleted by hand takes nothing down any more."""
    state = held.home / "stack.json"
    return state.exists() and Remembered.model_validate_json(state.read_bytes()).id == stack_id


def _pick(taken: set[int]) -> int:
    used = network.used_networks()
    for number in range(256):
        if number not in taken and not any(network.subnet(number).overlaps(other) for other in used):
            return number
    raise StartFailed("no network of 10.244.0.0/16 is free for pods: see `ip route` for who uses them.")
