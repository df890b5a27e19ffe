"""Team ids and every name that is derived from one. Derived by code, never free text, so no team can name another's."""

import hashlib
import re
from dataclasses import dataclass
from typing import Annotated

from pydantic import AfterValidator

_GRAMMAR = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", re.ASCII)
_RESERVED = frozenset(
    {
        "default", "system", "platform", "airflow", "admin", "root", "public", "none", "all", "any", "global", "shared",
        "internal", "postgres", "template0", "template1", "information-schema", "tenants", "tenancy", "storage",
        "lineage", "sweep", "outrider", "operator", "dags-folder", "anonymous", "self", "null", "con", "aux", "nul",
    }
)  # fmt: skip
_RESERVED_PREFIXES = ("kube", "openshift", "aws", "pg-")


def check_team_id(value: str) -> str:
    """Return *value* if it is a well-formed team id. Raises ValueError saying which rule it breaks."""
    if not 3 <= len(value) <= 30:
        raise ValueError(f"team id {value!r} must have 3 to 30 characters, it has {len(value)}")
    if not _GRAMMAR.fullmatch(value):
        raise ValueError(
            f"team id {value!r} must be lower-case letters and digits in parts joined by single hyphens, "
            "beginning with a letter (for example 'ads' or 'news-desk')"
        )
    return value


def check_new_team_id(value: str) -> str:
    """Return *value* if a team may be onboarded under it. Raises ValueError if malformed or reserved."""
    check_team_id(value)
    if value in _RESERVED or value.startswith(_RESERVED_PREFIXES):
        raise ValueError(f"team id {value!r} is reserved; choose another, for example '{value}-team'")
    return value


PLATFORM = "platform"
"""What stands in a team's place where an act concerns none, or all of them. Reserved, so no team can ever be it."""

_FIRST_UNIX_ID = 1_000_000_000
_UNIX_IDS = 1_000_000_000
"""Above what images and hosts give away, below 2**31, where Kubernetes ends."""

JOB_ACCOUNT = "job"
"""Service account of jobs in their team's namespace: no rights, no token."""
RUNNER_ACCOUNT = "runner"
"""Service account with which the team's Airflow tasks run pods in the team's namespace."""
SPARK_ACCOUNT = "spark"
"""Service account of Spark drivers: it may make their executors."""
KUBERNETES_CONNECTION = "kubernetes_default"
"""Airflow connection with the runner's credentials, one per team."""
VOLUME_CLAIM = "outrider-volume"
"""PersistentVolumeClaim for the team's directory of the shared volume, in the namespace of a team that has one."""
POD_VOLUMES = "/mnt/outrider"
"""Where pods find it: mounted at `POD_VOLUMES/<team>`, so that a version's path is the same below every root."""

TeamId = Annotated[str, AfterValidator(check_team_id)]
NewTeamId = Annotated[str, AfterValidator(check_new_team_id)]


@dataclass(frozen=True)
class DerivedNames:
    """Every name of one team in every system, computed from its id."""

    team: str

    @property
    def iam_name(self) -> str:
        """IAM role and IAM user name, both under `IAM_PATH`."""
        return f"outrider-team-{self.team}"

    @property
    def storage_prefix(self) -> str:
        """Key prefix of the team's data, with its trailing slash."""
        return f"{self.team}/"

    @property
    def postgres_owner(self) -> str:
        """Role without login that owns the team's schema."""
        return f"team_{self.team.replace('-', '_')}"

    @property
    def postgres_login(self) -> str:
        """Role the team's programs log in as. Two underscores: `team_ads_rw` is the owner of team `ads-rw`."""
        return f"{self.postgres_owner}__rw"

    @property
    def postgres_schema(self) -> str:
        """The team's schema."""
        return self.postgres_owner

    @property
    def kafka_user(self) -> str:
        """SCRAM user of the team's programs."""
        return f"team-{self.team}"

    @property
    def kafka_prefix(self) -> str:
        """Prefix of the team's topics and groups; the trailing dot keeps `pay` out of `payroll`."""
        return f"outrider.team.{self.team}."

    @property
    def airflow_team(self) -> str:
        """Team name in Airflow."""
        return self.team

    @property
    def bundle(self) -> str:
        """Airflow DAG bundle name."""
        return self.team

    @property
    def http_client(self) -> str:
        """Client id at the token endpoint. No colon: HTTP Basic ends the user name at the first one."""
        return f"team-{self.team}"

    @property
    def namespace(self) -> str:
        """Kubernetes namespace of the team's pods."""
        return f"outrider-team-{self.team}"

    @property
    def volume(self) -> str:
        """PersistentVolume that is the team's directory of the shared volume."""
        return f"outrider-team-{self.team}"

    @property
    def unix_id(self) -> int:
        """User and group that the team's pods run as, fsGroup too. Tenancy takes no two teams with the same one."""
        drawn = int.from_bytes(hashlib.sha256(self.team.encode()).digest()[:8])
        return _FIRST_UNIX_ID + drawn % _UNIX_IDS


IAM_PATH = "/outrider/teams/"
