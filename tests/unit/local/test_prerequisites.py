"""A missing program is named with the command that installs it."""

import pytest
from outrider_local.errors import MissingPrerequisite
from outrider_local.prerequisites import Prerequisite, ensure, require

ABSENT = Prerequisite(says="an oracle", find=lambda: None, packages=("oracle-headless",))
PRESENT = Prerequisite(says="a shell", find=lambda: "/bin/sh", packages=("dash",))


def test_the_command_that_installs_it_is_named() -> None:
    with pytest.raises(MissingPrerequisite, match="apt-get install -y --no-install-recommends oracle-headless"):
        require(ABSENT)


def test_what_is_there_is_left_alone() -> None:
    said: list[str] = []

    ensure([PRESENT], said.append)

    assert said == []
    assert require(PRESENT) == "/bin/sh"


def test_where_there_are_no_packages_the_way_round_is_named() -> None:
    with pytest.raises(MissingPrerequisite, match="unpack it into /opt"):
        require(Prerequisite(says="an oracle", find=lambda: None, packages=("x",), elsewhere="unpack it into /opt"))
