-- Facts heard from Airflow (runs, graphs, ends) and what storage made of them (attempts, versions, holds).
CREATE SCHEMA storage;

-- One row per start of a run: a clear or a re-creation under the same id gives another run_started_at.
CREATE TABLE storage.runs (
    team text NOT NULL,
    dag_id text NOT NULL,
    run_id text NOT NULL,
    run_started_at timestamptz NOT NULL,
    started boolean NOT NULL DEFAULT false,      -- a start was heard (not only an end or a task)
    fresh boolean NOT NULL DEFAULT false,        -- begun from nothing (clear_number 0), not reopened
    confirmed boolean NOT NULL DEFAULT false,    -- something else than the start showed that the run exists
    run_after timestamptz,
    logical_date timestamptz,
    dag_version text NOT NULL DEFAULT '',
    outcome text,
    finished_at timestamptz,
    deleted_at timestamptz,
    absent_since timestamptz,                    -- Airflow said "no such run" since then
    heard_at timestamptz NOT NULL,
    PRIMARY KEY (team, dag_id, run_id, run_started_at)
);
CREATE INDEX runs_unconfirmed ON storage.runs (heard_at) WHERE NOT confirmed;
CREATE INDEX runs_by_version ON storage.runs (team, dag_id, dag_version) WHERE finished_at IS NULL;

CREATE TABLE storage.graphs (
    team text NOT NULL,
    dag_id text NOT NULL,
    dag_version text NOT NULL,
    chunk int NOT NULL,
    tasks jsonb NOT NULL,
    PRIMARY KEY (team, dag_id, dag_version, chunk)
);

-- How tries ended, as Airflow says; a try that asked for nothing has a row too (ends may come first).
CREATE TABLE storage.ends (
    team text NOT NULL,
    dag_id text NOT NULL,
    run_id text NOT NULL,
    task_id text NOT NULL,
    map_index int NOT NULL,
    run_started_at timestamptz NOT NULL,
    try_number int NOT NULL,
    state text NOT NULL,
    ended_at timestamptz NOT NULL,
    PRIMARY KEY (team, dag_id, run_id, task_id, map_index, run_started_at, try_number)
);

-- One row per generation of a place. Numbers are never used twice, neither within a place nor within a task.
CREATE TABLE storage.attempts (
    place text NOT NULL,
    generation int NOT NULL,
    team text NOT NULL,
    dag_id text NOT NULL,
    run_id text NOT NULL,
    task_id text NOT NULL,
    map_index int NOT NULL,
    run_started_at timestamptz NOT NULL,
    try_number int,                              -- null: announced, not yet taken by a try
    logical_date timestamptz,
    run_after timestamptz NOT NULL,
    declaration jsonb NOT NULL,
    failed_retention text NOT NULL,
    state text NOT NULL DEFAULT 'announced' CHECK (state IN ('announced', 'ready', 'sealed', 'dropped')),
    outcome text CHECK (outcome IN ('success', 'failed')),
    epoch int NOT NULL DEFAULT 1,                -- whoever works on the row holds its number
    inputs jsonb,                                -- null: not resolved yet
    missing_inputs text[] NOT NULL DEFAULT '{}',
    announced_at timestamptz NOT NULL,
    ready_at timestamptz,
    ensured_at timestamptz,                      -- an authenticated caller asked for it: fences older tries
    sealed_at timestamptz,
    PRIMARY KEY (place, generation)
);
CREATE UNIQUE INDEX attempts_by_try ON storage.attempts
    (team, dag_id, run_id, task_id, map_index, run_started_at, try_number) NULLS NOT DISTINCT
    WHERE state <> 'dropped';
CREATE INDEX attempts_by_output ON storage.attempts (team, dag_id, task_id, run_after DESC);
CREATE INDEX attempts_unsealed ON storage.attempts (announced_at) WHERE state IN ('announced', 'ready');

CREATE TABLE storage.versions (
    path text PRIMARY KEY,
    place text NOT NULL,
    generation int NOT NULL,
    output text NOT NULL,
    retention text NOT NULL,
    state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'sealed', 'doomed', 'clearing', 'cleared')),
    present boolean NOT NULL DEFAULT false,      -- sealed with a manifest by a try that succeeded
    files int,
    bytes bigint,
    due_at timestamptz,
    reason text NOT NULL DEFAULT '',
    waiting_for text NOT NULL DEFAULT '',
    doomed_at timestamptz,
    not_before timestamptz,
    cleared_at timestamptz,
    removed_objects bigint,
    removed_bytes bigint,
    epoch int NOT NULL DEFAULT 1,
    claimed_at timestamptz,
    FOREIGN KEY (place, generation) REFERENCES storage.attempts,
    UNIQUE (place, generation, output)
);
CREATE INDEX versions_due ON storage.versions (due_at) WHERE state IN ('open', 'sealed') AND due_at IS NOT NULL;
CREATE INDEX versions_doomed ON storage.versions (not_before) WHERE state IN ('doomed', 'clearing');
CREATE INDEX versions_cleared ON storage.versions (claimed_at) WHERE state IN ('clearing', 'cleared');

-- Who still needs a version: a reading task (with its start), or a person.
CREATE TABLE storage.holds (
    path text NOT NULL REFERENCES storage.versions,
    holder text NOT NULL,
    reason text NOT NULL DEFAULT '',
    since timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    released_at timestamptz,
    PRIMARY KEY (path, holder)
);
CREATE INDEX holds_by_holder ON storage.holds (holder) WHERE released_at IS NULL;

-- Since when somebody waits for something, so that waiting has an end.
CREATE TABLE storage.waits (
    subject text PRIMARY KEY,
    since timestamptz NOT NULL
);

-- One row: which database this is, how often it was started, and whether anything may be destroyed.
CREATE TABLE storage.control (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    identity text NOT NULL,
    starts bigint NOT NULL DEFAULT 0,
    frozen boolean NOT NULL DEFAULT false,
    reason text NOT NULL DEFAULT '',
    changed_by text NOT NULL DEFAULT '',
    changed_at timestamptz NOT NULL
);
