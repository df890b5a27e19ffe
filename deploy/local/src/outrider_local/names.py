"""Names inside the local stack: who logs in where."""

KAFKA_ADMIN = "admin"
KAFKA_PRINCIPALS = ("tenancy", "storage", "lineage", "sweep", "airflow", "operator")

POSTGRES_ADMIN = "postgres"
POSTGRES_OWNERS = ("airflow", "tenancy", "storage", "lineage", "sweep")
"""Roles that own the database of the same name."""
TEAMS_DATABASE = "teams"
"""Owned by the role tenancy, which makes a schema per team in it."""

BUCKET = "outrider"
REGION = "us-east-1"
ACCOUNT = "000000000000"

OPTIONAL = ("kubernetes", "node", "spark")
"""Components that are started only when asked for; what comes after one does so where it is started."""
SERVICES = ("tenancy", "storage", "lineage", "sweep")
HTTP_CLIENTS = {
    "airflow": "operator",
    "airflow-api": "viewer",
    "cli": "administrator",
    "storage": "operator",
    "lineage": "operator",
    "sweep": "operator",
}
"""Clients at the token endpoint and their roles; a team's own client is made by tenancy."""
