"""From what is found in PostgreSQL to the statements that are missing. Pure; identifiers are derived from team ids."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from tenancy.domain.teams import Wanted

FIND = """
WITH rights AS (
    SELECT acl.grantee, acl.privilege_type
    FROM pg_database AS d, aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) AS acl
    WHERE d.datname = current_database()
)
SELECT current_database()::text AS database, owner.oid IS NOT NULL AS owner, login.oid IS NOT NULL AS login,
    shobj_description(owner.oid, 'pg_authid') AS owner_mark, shobj_description(login.oid, 'pg_authid') AS login_mark,
    coalesce(login.rolcanlogin, false) AS may_log_in, login.rolconnlimit AS connection_limit,
    coalesce('role=' || $1::text = ANY (settings.setconfig), false) AS acts_as_owner,
    EXISTS (SELECT FROM pg_auth_members WHERE roleid = owner.oid AND member = login.oid) AS member,
    (SELECT pg_get_userbyid(nspowner)::text FROM pg_namespace WHERE nspname = $1) AS schema_owner,
    EXISTS (SELECT FROM rights WHERE grantee = 0) AS open_to_all,
    EXISTS (SELECT FROM rights WHERE grantee = login.oid AND privilege_type = 'CONNECT') AS connects
FROM (SELECT 1) AS one
LEFT JOIN pg_roles AS owner ON owner.rolname = $1
LEFT JOIN pg_roles AS login ON login.rolname = $2
LEFT JOIN pg_db_role_setting AS settings ON settings.setrole = login.oid AND settings.setdatabase = 0
"""
"""What there is of one team. $1: owner role and schema, $2: login role."""

_IDENTIFIER = re.compile(r"[a-z][a-z0-9_]{0,62}")


class NotOurs(Exception):
    """A role or schema of that name is there, and tenancy did not make it for this team."""


@dataclass(frozen=True)
class Statement:
    """One statement, and what it does as audit says it (the SQL may hold a password's verifier)."""

    action: str
    resource: str
    sql: str


def quoted(name: str) -> str:
    """*name* as an SQL identifier. Longer ones are refused: PostgreSQL would cut them silently."""
    if not _IDENTIFIER.fullmatch(name):
        raise ValueError(f"{name!r} is no identifier of ours")
    return f'"{name}"'


def statements(wanted: Wanted, found: Mapping[str, object], verifier: str | None) -> list[Statement]:
    """What is missing, in order. *verifier*: a new password for the login role, None to leave it. Raises NotOurs."""
    names = wanted.names
    login, mark = quoted(names.postgres_login), f"outrider {wanted.uid}"
    if not wanted.active:
        close = Statement("login.close", names.postgres_login, f"ALTER ROLE {login} NOLOGIN")
        return [close] if found["may_log_in"] else []
    if not wanted.spec.postgres.schema_:
        return []
    _check_ours(wanted, found, mark)
    return [*_roles(wanted, found, verifier, mark), *_places(wanted, found)]


def _roles(wanted: Wanted, found: Mapping[str, object], verifier: str | None, mark: str) -> list[Statement]:
    names, limit = wanted.names, wanted.spec.postgres.connection_limit
    owner, login = quoted(names.postgres_owner), quoted(names.postgres_login)
    wants: list[Statement] = []
    if not found["owner"]:
        wants += [
            Statement("role.create", names.postgres_owner, f"CREATE ROLE {owner} NOLOGIN"),
            Statement("", "", f"COMMENT ON ROLE {owner} IS '{mark}'"),
            # PostgreSQL 16 and later: who creates a role may administer it, but neither act as it nor own through it
            Statement("", "", f"GRANT {owner} TO CURRENT_USER WITH INHERIT TRUE, SET TRUE"),
        ]
    if not found["login"]:
        wants += [
            Statement("role.create", names.postgres_login, f"CREATE ROLE {login} LOGIN CONNECTION LIMIT {limit}"),
            Statement("", "", f"COMMENT ON ROLE {login} IS '{mark}'"),
            Statement("", "", f"GRANT {login} TO CURRENT_USER WITH INHERIT TRUE"),  # to end its sessions one day
        ]
    elif found["connection_limit"] != limit:
        wants.append(Statement("role.limit", names.postgres_login, f"ALTER ROLE {login} CONNECTION LIMIT {limit}"))
    if found["login"] and not found["may_log_in"]:
        wants.append(Statement("login.open", names.postgres_login, f"ALTER ROLE {login} LOGIN"))
    if verifier is not None:
        wants.append(Statement("password.set", names.postgres_login, f"ALTER ROLE {login} PASSWORD '{verifier}'"))
    if not found["member"]:
        wants.append(
            Statement("role.join", f"{names.postgres_login} -> {names.postgres_owner}", f"GRANT {owner} TO {login}")
        )
    if not found["acts_as_owner"]:  # so that whatever the login makes belongs to the owner role
        wants.append(Statement("role.set", names.postgres_login, f"ALTER ROLE {login} SET role = {owner}"))
    return wants


def _places(wanted: Wanted, found: Mapping[str, object]) -> list[Statement]:
    names, database = wanted.names, quoted(str(found["database"]))
    owner, login = quoted(names.postgres_owner), quoted(names.postgres_login)
    wants: list[Statement] = []
    if found["open_to_all"]:
        wants.append(
            Statement("database.close", str(found["database"]), f"REVOKE ALL ON DATABASE {database} FROM PUBLIC")
        )
    if found["schema_owner"] is None:
        schema = quoted(names.postgres_schema)
        wants += [
            Statement("schema.create", names.postgres_schema, f"CREATE SCHEMA {schema} AUTHORIZATION {owner}"),
            Statement("", "", f"GRANT TEMPORARY ON DATABASE {database} TO {owner}"),
        ]
    if not found["connects"]:
        sql = f"GRANT CONNECT ON DATABASE {database} TO {login}"
        wants.append(Statement("database.open", f"{found['database']} to {names.postgres_login}", sql))
    return wants


def _check_ours(wanted: Wanted, found: Mapping[str, object], mark: str) -> None:
    names = wanted.names
    for there, name in (("owner", names.postgres_owner), ("login", names.postgres_login)):
        if found[there] and found[f"{there}_mark"] != mark:
            raise NotOurs(f"role {name} is there already and was not made for this team")
    if found["schema_owner"] not in (None, names.postgres_owner):
        raise NotOurs(f"schema {names.postgres_schema} is there already and belongs to {found['schema_owner']}")
