"""Whose DAG it is."""

import pytest
from outrider_airflow.team import Binding, Evidence, Rules, contradiction, resolve

SITE = Rules(
    bundle_teams={"ads-dags": "ads"},
    path_rule=r"/teams/(?P<team>[^/]+)/",
    tag_binds=True,
    default_team="platform-dags",
)


@pytest.mark.parametrize(
    ("evidence", "binding"),
    [
        (Evidence("news", "ads-dags", "/teams/sales/x.py", ("team:hr1",)), Binding("news", "multi-team")),
        (Evidence("", "ads-dags", "/teams/sales/x.py", ("team:hr1",)), Binding("ads", "bundle")),
        (Evidence("", "other", "/teams/sales/x.py", ("team:hr1",)), Binding("sales", "path")),
        (Evidence("", "other", "/x.py", ("nightly", "team:hr1")), Binding("hr1", "tag")),
        (Evidence("", "other", "/x.py"), Binding("platform-dags", "default")),
    ],
)
def test_what_the_platform_controls_decides_first(evidence: Evidence, binding: Binding) -> None:
    assert resolve(evidence, SITE) == binding


def test_a_tag_decides_nothing_where_the_site_does_not_allow_it() -> None:
    assert resolve(Evidence(tags=("team:ads",)), Rules()) is None


def test_of_several_tags_the_answer_does_not_depend_on_their_order() -> None:
    rules = Rules(tag_binds=True)

    assert resolve(Evidence(tags=("team:bbb", "team:aaa")), rules) == resolve(
        Evidence(tags=("team:aaa", "team:bbb")), rules
    )


def test_a_name_that_is_no_team_id_is_an_error_that_names_the_rule() -> None:
    with pytest.raises(ValueError, match="HR_Team"):
        resolve(Evidence(airflow_team="HR_Team"), SITE)


def test_a_tag_of_another_team_contradicts_and_the_message_says_the_fix() -> None:
    wrong = contradiction(Evidence(airflow_team="ads", tags=("team:news",)), SITE)

    assert wrong is not None
    assert "belongs to team ads" in wrong
    assert "Remove the tag" in wrong


def test_a_tag_of_the_own_team_or_of_an_unbound_dag_contradicts_nothing() -> None:
    assert contradiction(Evidence(airflow_team="ads", tags=("team:ads",)), SITE) is None
    assert contradiction(Evidence(tags=("team:news",)), SITE) is None
