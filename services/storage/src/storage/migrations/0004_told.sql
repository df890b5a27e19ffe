-- What people are told of a try besides: what it was told when it asked, and when it was given what.
CREATE TABLE storage.told (
    team text NOT NULL,
    dag_id text NOT NULL,
    run_id text NOT NULL,
    task_id text NOT NULL,
    map_index int NOT NULL,
    run_started_at timestamptz NOT NULL,
    try_number int NOT NULL,
    kind text NOT NULL CHECK (kind IN ('waiting', 'refused')),
    what text NOT NULL,                          -- what is waited for; the reason of a refusal
    message text NOT NULL DEFAULT '',
    fix text NOT NULL DEFAULT '',
    first_at timestamptz NOT NULL,
    last_at timestamptz NOT NULL,
    PRIMARY KEY (team, dag_id, run_id, task_id, map_index, run_started_at, try_number, kind, what)
);
CREATE INDEX told_by_age ON storage.told (last_at);

ALTER TABLE storage.attempts
    ADD COLUMN resolved_at timestamptz,          -- every input resolved
    ADD COLUMN credentials_at timestamptz,       -- credentials given last, and how long those are good
    ADD COLUMN credentials_until timestamptz;
