"""What a team may do on Kafka."""

from tenancy.domain.rights import Right, wanted_rights


def covers(right: Right, kind: str, name: str, operation: str) -> bool:
    fits = name.startswith(right.name) if right.pattern == "PREFIXED" else name == right.name
    return right.kind == kind and fits and right.operation == operation


def may(team: str, kind: str, name: str, operation: str) -> bool:
    return any(covers(right, kind, name, operation) for right in wanted_rights(team))


def test_a_team_reads_its_topics_and_writes_its_inbox() -> None:
    assert may("pay", "TOPIC", "outrider.team.pay.events.v1", "READ")
    assert may("pay", "TOPIC", "outrider.team.pay.inbox.v1", "WRITE")


def test_a_team_cannot_forge_the_facts_it_is_told() -> None:
    assert not may("pay", "TOPIC", "outrider.team.pay.events.v1", "WRITE")


def test_a_team_whose_id_begins_another_s_reaches_nothing_of_it() -> None:
    for name in (
        "outrider.team.payroll.events.v1",
        "outrider.team.payroll.inbox.v1",
        "outrider.team.pay-roll.inbox.v1",
    ):
        assert not any(may("pay", "TOPIC", name, operation) for operation in ("READ", "WRITE", "DESCRIBE"))
    assert not may("pay", "GROUP", "outrider.team.payroll.jobs", "READ")


def test_no_team_reaches_a_shared_topic() -> None:
    assert not any(may("pay", "TOPIC", "outrider.airflow.v1", operation) for operation in ("READ", "WRITE"))
