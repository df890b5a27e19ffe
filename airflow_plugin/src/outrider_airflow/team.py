"""Whose DAG is it? One rule for all: what the platform controls decides, and the answer says which rule gave it."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from outrider_contracts.airflow import TeamRule
from outrider_contracts.names import check_team_id

_TAG = "team:"


@dataclass(frozen=True)
class Evidence:
    """What is known of a DAG's owner where the question is asked; empty where a process can't know it."""

    airflow_team: str = ""
    bundle: str = ""
    path: str = ""
    tags: Collection[str] = ()


@dataclass(frozen=True)
class Rules:
    """How a site decides."""

    bundle_teams: Mapping[str, str] = field(default_factory=dict)
    path_rule: str = ""
    tag_binds: bool = False
    default_team: str = ""


@dataclass(frozen=True)
class Binding:
    """The team, and the rule that said so."""

    team: str
    rule: TeamRule


def resolve(evidence: Evidence, rules: Rules) -> Binding | None:
    """Say whose DAG it is: Airflow's team, else its bundle, else its path, else a tag where allowed, else the default.

    None where no rule answers. Raises ValueError where the answer is no team id.
    """
    binding = bound(evidence, rules)
    tag = _tagged(evidence)
    if binding is None and tag and rules.tag_binds:
        binding = Binding(tag, "tag")
    if binding is None and rules.default_team:
        binding = Binding(rules.default_team, "default")
    if binding is not None:
        check_team_id(binding.team)
    return binding


def contradiction(evidence: Evidence, rules: Rules) -> str | None:
    """Say what is wrong with a tag that names another team than the platform does; None where nothing is."""
    binding, tag = bound(evidence, rules), _tagged(evidence)
    if binding is None or not tag or tag == binding.team:
        return None
    return (
        f"the tag {_TAG}{tag} contradicts the platform: by its {binding.rule} this DAG belongs to team "
        f"{binding.team}. Remove the tag, or move the file to team {tag}'s bundle."
    )


def bound(evidence: Evidence, rules: Rules) -> Binding | None:
    """Whose DAG it is by what the platform controls alone; None where that says nothing."""
    if evidence.airflow_team:
        return Binding(evidence.airflow_team, "multi-team")
    if team := rules.bundle_teams.get(evidence.bundle):
        return Binding(team, "bundle")
    if rules.path_rule and (match := re.search(rules.path_rule, evidence.path)):
        return Binding(match["team"], "path")
    return None


def _tagged(evidence: Evidence) -> str:
    """The team of the tags; of several the first by name, so that the answer does not depend on their order."""
    named = sorted(tag.removeprefix(_TAG) for tag in evidence.tags if tag.startswith(_TAG))
    return named[0] if named else ""
