-- What is known of runs, tries, versions, nodes and edges. Keys are natural; rows merge as lineage.domain.schema says.
-- Text sorts by code point (COLLATE "C"), as it does in Python: the greatest of two values is the same in both.
CREATE SCHEMA IF NOT EXISTS lineage;

CREATE TABLE lineage.runs (
    team text COLLATE "C" NOT NULL,
    dag_id text COLLATE "C" NOT NULL,
    run_id text COLLATE "C" NOT NULL,
    run_started_at timestamptz NOT NULL,
    ol_run_id uuid NOT NULL,
    started boolean NOT NULL,
    clear_number bigint NOT NULL,
    run_type text COLLATE "C" NOT NULL,
    dag_version text COLLATE "C" NOT NULL,
    logical_date timestamptz,
    run_after timestamptz,
    data_interval_start timestamptz,
    data_interval_end timestamptz,
    end_clear_number bigint NOT NULL,
    end_at timestamptz,
    end_state text COLLATE "C" NOT NULL,
    deleted_at timestamptz,
    PRIMARY KEY (team, dag_id, run_id, run_started_at)
);
CREATE INDEX runs_by_ol_run_id ON lineage.runs (ol_run_id);
CREATE INDEX runs_by_start ON lineage.runs (team, dag_id, run_started_at DESC);

CREATE TABLE lineage.tries (
    team text COLLATE "C" NOT NULL,
    dag_id text COLLATE "C" NOT NULL,
    run_id text COLLATE "C" NOT NULL,
    task_id text COLLATE "C" NOT NULL,
    map_index bigint NOT NULL,
    try_number bigint NOT NULL,
    run_started_at timestamptz NOT NULL,
    ol_run_id uuid NOT NULL,
    heard_start boolean NOT NULL,
    started_at timestamptz,
    declares boolean NOT NULL,
    ready boolean NOT NULL,
    operator text COLLATE "C" NOT NULL,
    dag_version text COLLATE "C" NOT NULL,
    logical_date timestamptz,
    end_rank bigint NOT NULL,
    end_at timestamptz,
    end_state text COLLATE "C" NOT NULL,
    error_class text COLLATE "C" NOT NULL,
    error_fingerprint text COLLATE "C" NOT NULL,
    sealed_at timestamptz,
    seal_outcome text COLLATE "C" NOT NULL,
    generation bigint NOT NULL,
    refused_at timestamptz,
    refusal text COLLATE "C" NOT NULL,
    PRIMARY KEY (team, dag_id, run_id, task_id, map_index, try_number, run_started_at)
);
CREATE INDEX tries_by_ol_run_id ON lineage.tries (ol_run_id);

CREATE TABLE lineage.reads (
    team text COLLATE "C" NOT NULL,
    dag_id text COLLATE "C" NOT NULL,
    run_id text COLLATE "C" NOT NULL,
    task_id text COLLATE "C" NOT NULL,
    map_index bigint NOT NULL,
    try_number bigint NOT NULL,
    run_started_at timestamptz NOT NULL,
    name text COLLATE "C" NOT NULL,
    dataset uuid NOT NULL,
    from_run_id text COLLATE "C" NOT NULL,
    from_map_index bigint NOT NULL,
    generation bigint NOT NULL,
    path text COLLATE "C" NOT NULL,
    partition text COLLATE "C" NOT NULL,
    PRIMARY KEY (team, dag_id, run_id, task_id, map_index, try_number, run_started_at, name, dataset, from_run_id,
                 from_map_index, generation)
);
CREATE INDEX reads_by_version ON lineage.reads (dataset, generation);

CREATE TABLE lineage.writes (
    team text COLLATE "C" NOT NULL,
    dag_id text COLLATE "C" NOT NULL,
    run_id text COLLATE "C" NOT NULL,
    task_id text COLLATE "C" NOT NULL,
    map_index bigint NOT NULL,
    try_number bigint NOT NULL,
    run_started_at timestamptz NOT NULL,
    name text COLLATE "C" NOT NULL,
    dataset uuid NOT NULL,
    generation bigint NOT NULL,
    path text COLLATE "C" NOT NULL,
    partition text COLLATE "C" NOT NULL,
    files bigint NOT NULL,
    bytes bigint NOT NULL,
    expires text COLLATE "C" NOT NULL,
    PRIMARY KEY (team, dag_id, run_id, task_id, map_index, try_number, run_started_at, name, dataset, generation)
);
CREATE INDEX writes_by_version ON lineage.writes (dataset, generation);

CREATE TABLE lineage.versions (
    team text COLLATE "C" NOT NULL,
    dag_id text COLLATE "C" NOT NULL,
    run_id text COLLATE "C" NOT NULL,
    task_id text COLLATE "C" NOT NULL,
    map_index bigint NOT NULL,
    output text COLLATE "C" NOT NULL,
    generation bigint NOT NULL,
    dataset uuid NOT NULL,
    path text COLLATE "C" NOT NULL,
    sealed_at timestamptz,
    outcome text COLLATE "C" NOT NULL,
    try_number bigint NOT NULL,
    doomed_at timestamptz,
    not_before timestamptz,
    doom_reason text COLLATE "C" NOT NULL,
    restored_at timestamptz,
    cleared_at timestamptz,
    PRIMARY KEY (team, dag_id, run_id, task_id, map_index, output, generation)
);
CREATE INDEX versions_by_dataset ON lineage.versions (dataset, sealed_at DESC);

CREATE TABLE lineage.nodes (
    id uuid PRIMARY KEY,
    kind text COLLATE "C" NOT NULL,
    team text COLLATE "C" NOT NULL,
    namespace text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    dag_id text COLLATE "C" NOT NULL,
    task_id text COLLATE "C" NOT NULL,
    output text COLLATE "C" NOT NULL,
    operator text COLLATE "C" NOT NULL,
    first_at timestamptz,
    last_at timestamptz
);
CREATE INDEX nodes_by_name ON lineage.nodes (namespace, name);
CREATE INDEX nodes_by_team ON lineage.nodes (team, last_at DESC);

CREATE TABLE lineage.edges (
    source uuid NOT NULL,
    target uuid NOT NULL,
    team text COLLATE "C" NOT NULL,
    job uuid NOT NULL,
    ran boolean NOT NULL,
    declared boolean NOT NULL,
    reported boolean NOT NULL,
    first_at timestamptz,
    last_at timestamptz,
    PRIMARY KEY (source, target)
);
CREATE INDEX edges_upstream ON lineage.edges (target, source);

CREATE TABLE lineage.reported_runs (
    team text COLLATE "C" NOT NULL,
    ol_run_id uuid NOT NULL,
    job uuid NOT NULL,
    started_at timestamptz,
    last_at timestamptz,
    end_at timestamptz,
    end_state text COLLATE "C" NOT NULL,
    parent_run_id uuid,
    PRIMARY KEY (team, ol_run_id, job)
);

CREATE TABLE lineage.reported_io (
    team text COLLATE "C" NOT NULL,
    ol_run_id uuid NOT NULL,
    job uuid NOT NULL,
    direction text COLLATE "C" NOT NULL,
    dataset uuid NOT NULL,
    note text COLLATE "C" NOT NULL,
    PRIMARY KEY (team, ol_run_id, job, direction, dataset)
);

-- What was said, so that nothing is said twice; and which ends still wait for their seal.
CREATE TABLE lineage.said (
    ol_run_id uuid NOT NULL,
    event_type text NOT NULL,
    at timestamptz NOT NULL,
    sealed boolean NOT NULL,
    PRIMARY KEY (ol_run_id, event_type, at)
);

CREATE TABLE lineage.unsettled (
    team text COLLATE "C" NOT NULL,
    dag_id text COLLATE "C" NOT NULL,
    run_id text COLLATE "C" NOT NULL,
    task_id text COLLATE "C" NOT NULL,
    map_index bigint NOT NULL,
    try_number bigint NOT NULL,
    settle_at timestamptz NOT NULL,
    PRIMARY KEY (team, dag_id, run_id, task_id, map_index, try_number)
);
CREATE INDEX unsettled_by_time ON lineage.unsettled (settle_at);
