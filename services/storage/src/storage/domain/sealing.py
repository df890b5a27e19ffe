"""What sealing a try puts on record."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from outrider_contracts.environments import Manifest

from storage.domain.attempts import Attempt
from storage.domain.refusals import Refused

Outcome = Literal["success", "failed"]


@dataclass(frozen=True)
class SealPlan:
    """Outputs that exist, with what they hold; the others were optional and are not there."""

    outcome: Outcome
    found: Mapping[str, Manifest]


def plan_seal(attempt: Attempt, outcome: Outcome, found: Mapping[str, Manifest | None]) -> SealPlan:
    """Decide over the manifests found. Raises Refused (output-missing): success needs every required output."""
    there = {name: manifest for name, manifest in found.items() if manifest is not None}
    if outcome == "success":
        declared = attempt.declaration.outputs
        if missing := [name for name in declared if declared[name].required and name not in there]:
            which = ", ".join(f"{name!r} ({attempt.paths[name]})" for name in missing)
            raise Refused(
                "output-missing",
                f"try {attempt.try_number} of {attempt.task.label} has not stored {which}",
                "write at least one file into each required output, or declare Output(required=False)",
            )
    return SealPlan(outcome, there)
