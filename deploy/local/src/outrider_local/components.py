"""The components of the stack, in the order `outrider status` lists them."""

from outrider_local.component import Component


def all_components() -> tuple[Component, ...]:
    """Every component of the stack."""
    return ()
