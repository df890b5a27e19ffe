"""What a team may do on Kafka. Prefixes end in a dot, so `pay` never reaches `payroll`.

What the platform's own principals may do with team topics is granted once, by prefix, where the shared topics are made.
"""

from dataclasses import dataclass

from outrider_contracts.names import DerivedNames
from outrider_contracts.topics import team_inbox


@dataclass(frozen=True, order=True)
class Right:
    """One ACL: *principal* may *operation* on the resource."""

    kind: str
    name: str
    pattern: str
    operation: str
    principal: str

    def __str__(self) -> str:
        return f"{self.principal} {self.operation} {self.kind} {self.pattern} {self.name}"


def wanted_rights(team: str) -> frozenset[Right]:
    """Read the team's topics, write its inbox alone: events.v1 is written by services, a team can't forge its facts."""
    names = DerivedNames(team)
    principal, prefix = f"User:{names.kafka_user}", names.kafka_prefix
    return frozenset(
        {
            Right("TOPIC", prefix, "PREFIXED", "READ", principal),
            Right("TOPIC", prefix, "PREFIXED", "DESCRIBE", principal),
            Right("TOPIC", team_inbox(team), "LITERAL", "WRITE", principal),
            Right("GROUP", prefix, "PREFIXED", "READ", principal),
            Right("GROUP", prefix, "PREFIXED", "DESCRIBE", principal),
        }
    )
