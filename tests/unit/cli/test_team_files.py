"""A mistake in a team's document is named by line and path, and nothing is sent."""

from pathlib import Path

import pytest
from outrider_cli.team_files import BadDocuments, read_documents

GOOD = "apiVersion: outrider/v1\nkind: Team\nmetadata: {name: ads}\nspec:\n  displayName: Ads\n"


def mistakes(path: Path) -> tuple[str, ...]:
    with pytest.raises(BadDocuments) as bad:
        read_documents(path)
    return tuple(mistake.replace(f"{path}", "F") for mistake in bad.value.mistakes)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "team.yaml"


def test_a_file_may_hold_several_teams(file: Path) -> None:
    file.write_text(GOOD + "---\n" + GOOD.replace("ads", "news") + "---\n")

    assert [written.document.metadata.name for written in read_documents(file)] == ["ads", "news"]


def test_a_directory_is_read_in_the_order_of_its_names(tmp_path: Path) -> None:
    (tmp_path / "b.yaml").write_text(GOOD)
    (tmp_path / "a.yml").write_text(GOOD.replace("ads", "news"))
    (tmp_path / "README.md").write_text("no team")

    assert [written.document.metadata.name for written in read_documents(tmp_path)] == ["news", "ads"]


def test_a_misspelt_field_is_named_by_its_line(file: Path) -> None:
    file.write_text(GOOD + "  storage:\n    retention:\n      defalt: 3d\n")

    (mistake,) = mistakes(file)

    assert mistake.startswith("F:8: spec.storage.retention.defalt: no such field")


def test_every_mistake_is_named_at_once(file: Path) -> None:
    file.write_text(GOOD + "  kafka: {produce: 1}\n  storage: {retention: {default: 3 days}}\n")

    found = mistakes(file)

    assert [mistake.split(":")[1] for mistake in found] == ["7", "6"] or len(found) == 2


def test_a_reserved_or_malformed_id_is_refused_with_the_rule(file: Path) -> None:
    file.write_text(GOOD.replace("ads", "kube-ads"))
    assert "reserved" in mistakes(file)[0]

    file.write_text(GOOD.replace("ads", "Ads_1"))
    assert "lower-case" in mistakes(file)[0]


def test_a_key_written_twice_is_a_mistake(file: Path) -> None:
    """YAML itself would take the last one silently."""
    file.write_text(GOOD + "  displayName: Other\n")

    assert mistakes(file) == ("F:6: 'displayName' is written twice",)


def test_broken_yaml_is_named_by_its_line(file: Path) -> None:
    file.write_text(GOOD + "  owners: [a, b\nkind: x\n")

    assert mistakes(file)[0].startswith("F:7: no YAML")


def test_a_team_in_two_documents_is_a_mistake(file: Path) -> None:
    file.write_text(GOOD + "---\n" + GOOD)

    (mistake,) = mistakes(file)

    assert "stands in" in mistake


@pytest.mark.parametrize("text", ["", "---\n", "# nothing\n"])
def test_a_file_without_a_team_is_a_mistake(file: Path, text: str) -> None:
    file.write_text(text)

    assert mistakes(file) == ("F: holds no team document",)


def test_what_is_not_there_is_a_mistake(tmp_path: Path) -> None:
    assert "no such file" in mistakes(tmp_path / "absent.yaml")[0]
    assert "no .yaml" in mistakes(tmp_path)[0]
