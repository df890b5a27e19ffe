"""Takes a stack down for good: its processes, its data, wherever they lie."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from outrider_local import unprivileged
from outrider_local.component import Component
from outrider_local.errors import StackError
from outrider_local.runner import Tell, bring_down, silent
from outrider_local.stack import Stack
from outrider_local.waiting import wait_until


def remove(stack: Stack, components: Sequence[Component], tell: Tell = silent) -> None:
    """Stop *components* and delete the home of *stack*, with what had to lie outside of it. The cache stays."""
    bring_down(stack, components, tell)
    shutil.rmtree(unprivileged.outside(stack.layout), ignore_errors=True)
    # a process that was killed by force may leave a directory half written for a moment
    if not wait_until(lambda: _gone(stack.layout.home), seconds=10, every=0.2):
        raise StackError(
            f"{stack.layout.home} could not be deleted; see what still writes to it (`lsof +D`), then delete it"
        )


def _gone(home: Path) -> bool:
    shutil.rmtree(home, ignore_errors=True)
    return not home.exists()
