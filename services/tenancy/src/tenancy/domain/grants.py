"""Who may read what of another team: a grant needs both sides, the offer and the acceptance."""

from collections.abc import Mapping

from outrider_contracts.tenants import Acceptance, TeamSpec


def readable(team: str, specs: Mapping[str, TeamSpec]) -> tuple[Acceptance, ...]:
    """Outputs of other teams that *team* may read now: what it accepts and what is offered to it."""
    mine = specs.get(team)
    if mine is None:
        return ()
    return tuple(
        accepted
        for accepted in dict.fromkeys(mine.grants.accepts)
        if accepted.from_ != team and _offers(specs.get(accepted.from_), team, accepted.output)
    )


def concerned(team: str, before: TeamSpec | None, after: TeamSpec) -> frozenset[str]:
    """Teams whose grants may change when *team*'s spec changes from *before* to *after*."""
    specs = (after,) if before is None else (before, after)
    return frozenset({team, *(offer.to for spec in specs for offer in spec.grants.offers)})


def _offers(spec: TeamSpec | None, to: str, output: str) -> bool:
    if spec is None or spec.lifecycle == "Deleted":
        return False
    return any(offer.to == to and offer.output == output for offer in spec.grants.offers)
