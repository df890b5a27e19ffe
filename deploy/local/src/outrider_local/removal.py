"""Takes a stack down for good: its processes, its data, wherever they lie."""

import shutil
from collections.abc import Sequence

from outrider_local import unprivileged
from outrider_local.component import Component
from outrider_local.runner import Tell, bring_down, silent
from outrider_local.stack import Stack


def remove(stack: Stack, components: Sequence[Component], tell: Tell = silent) -> None:
    """Stop *components* and delete the home of *stack*, with what had to lie outside of it. The cache stays."""
    bring_down(stack, components, tell)
    shutil.rmtree(unprivileged.outside(stack.layout), ignore_errors=True)
    shutil.rmtree(stack.layout.home)
