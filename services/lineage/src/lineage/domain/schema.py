"""The tables of lineage. `migrations/` creates them; a test holds both to the same columns."""

from lineage.domain.tables import Column, Table

_RUN = (
    Column("team", "text"),
    Column("dag_id", "text"),
    Column("run_id", "text"),
)
_TRY = (
    *_RUN,
    Column("task_id", "text"),
    Column("map_index", "bigint"),
    Column("try_number", "bigint"),
    Column("run_started_at", "timestamptz"),
)

RUNS = Table(
    "runs",
    (*_RUN, Column("run_started_at", "timestamptz")),
    (
        Column("ol_run_id", "uuid"),
        Column("started", "boolean", "either"),
        Column("clear_number", "bigint", "greatest"),
        Column("run_type", "text", "greatest"),
        Column("dag_version", "text", "greatest"),
        Column("logical_date", "timestamptz", "greatest"),
        Column("run_after", "timestamptz", "greatest"),
        Column("data_interval_start", "timestamptz", "greatest"),
        Column("data_interval_end", "timestamptz", "greatest"),
        Column("end_clear_number", "bigint", group="end"),
        Column("end_at", "timestamptz", group="end"),
        Column("end_state", "text", group="end"),
        Column("deleted_at", "timestamptz", "least"),
    ),
)
"""A DAG run, once per start: clearing a finished run starts it anew, and so does creating it again under its id."""

TRIES = Table(
    "tries",
    _TRY,
    (
        Column("ol_run_id", "uuid"),
        Column("heard_start", "boolean", "either"),
        Column("started_at", "timestamptz", "least"),
        Column("declares", "boolean", "either"),
        Column("ready", "boolean", "either"),
        Column("operator", "text", "greatest"),
        Column("dag_version", "text", "greatest"),
        Column("logical_date", "timestamptz", "greatest"),
        Column("end_rank", "bigint", group="end"),
        Column("end_at", "timestamptz", group="end"),
        Column("end_state", "text", group="end"),
        Column("error_class", "text", "greatest"),
        Column("error_fingerprint", "text", "greatest"),
        Column("sealed_at", "timestamptz", group="seal"),
        Column("seal_outcome", "text", group="seal"),
        Column("generation", "bigint", group="seal"),
        Column("refused_at", "timestamptz", group="refusal"),
        Column("refusal", "text", group="refusal"),
    ),
)
"""A try of a task. The last end by its own time counts, but a state Airflow gave beats one that was concluded.

The error is kept from whoever told it: the sweep reads a later end than the listener told, and no error.
"""

READS = Table(
    "reads",
    (
        *_TRY,
        Column("name", "text"),
        Column("dataset", "uuid"),
        Column("from_run_id", "text"),
        Column("from_map_index", "bigint"),
        Column("generation", "bigint"),
    ),
    (Column("path", "text", "greatest"), Column("partition", "text", "greatest")),
)
"""What a try read: exact versions. Outside datasets have generation 0."""

WRITES = Table(
    "writes",
    (*_TRY, Column("name", "text"), Column("dataset", "uuid"), Column("generation", "bigint")),
    (
        Column("path", "text", "greatest"),
        Column("partition", "text", "greatest"),
        Column("files", "bigint", "greatest"),
        Column("bytes", "bigint", "greatest"),
        Column("expires", "text", "greatest"),
        Column("format", "text", "greatest"),
    ),
)
"""What a try wrote. Outside datasets have generation 0."""

VERSIONS = Table(
    "versions",
    (
        *_RUN,
        Column("task_id", "text"),
        Column("map_index", "bigint"),
        Column("output", "text"),
        Column("generation", "bigint"),
    ),
    (
        Column("dataset", "uuid"),
        Column("path", "text", "greatest"),
        Column("sealed_at", "timestamptz", group="seal"),
        Column("outcome", "text", group="seal"),
        Column("try_number", "bigint", group="seal"),
        Column("doomed_at", "timestamptz", group="doom"),
        Column("not_before", "timestamptz", group="doom"),
        Column("doom_reason", "text", group="doom"),
        Column("restored_at", "timestamptz", "greatest"),
        Column("cleared_at", "timestamptz", "greatest"),
    ),
)
"""A generation of an output, from seal to clearing."""

NODES = Table(
    "nodes",
    (Column("id", "uuid"),),
    (
        Column("kind", "text"),
        Column("team", "text"),
        Column("namespace", "text"),
        Column("name", "text"),
        Column("dag_id", "text", "greatest"),
        Column("task_id", "text", "greatest"),
        Column("output", "text", "greatest"),
        Column("operator", "text", "greatest"),
        Column("first_at", "timestamptz", "least"),
        Column("last_at", "timestamptz", "greatest"),
    ),
)
"""A job or a dataset."""

EDGES = Table(
    "edges",
    (Column("source", "uuid"), Column("target", "uuid")),
    (
        Column("team", "text"),
        Column("job", "uuid"),
        Column("ran", "boolean", "either"),
        Column("declared", "boolean", "either"),
        Column("reported", "boolean", "either"),
        Column("first_at", "timestamptz", "least"),
        Column("last_at", "timestamptz", "greatest"),
    ),
)
"""Data flows from source to target; `team` is the team of the job at one of its ends."""

REPORTED_RUNS = Table(
    "reported_runs",
    (Column("team", "text"), Column("ol_run_id", "uuid"), Column("job", "uuid")),
    (
        Column("started_at", "timestamptz", "least"),
        Column("last_at", "timestamptz", "greatest"),
        Column("end_at", "timestamptz", group="end"),
        Column("end_state", "text", group="end"),
        Column("parent_run_id", "uuid", "greatest"),
    ),
)
"""A run that a team's own job reported. It never touches what Airflow or storage said."""

REPORTED_IO = Table(
    "reported_io",
    (
        Column("team", "text"),
        Column("ol_run_id", "uuid"),
        Column("job", "uuid"),
        Column("direction", "text"),
        Column("dataset", "uuid"),
    ),
    (Column("note", "text", "greatest"),),
)
"""What a reported run read and wrote; a dataset it may not name is kept as a masked id with a note."""

TABLES = (RUNS, TRIES, READS, WRITES, VERSIONS, NODES, EDGES, REPORTED_RUNS, REPORTED_IO)
"""In the order in which they are written, by every writer."""
