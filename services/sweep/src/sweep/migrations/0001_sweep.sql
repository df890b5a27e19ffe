-- What was said of Airflow's runs, by us and by others, and how far the sweep has read.
CREATE SCHEMA sweep;

CREATE TABLE sweep.cursors (
    reading  text PRIMARY KEY,
    since    timestamptz NOT NULL,
    page     text NOT NULL DEFAULT '',
    began_at timestamptz
);

CREATE TABLE sweep.runs (
    team          text NOT NULL,
    dag_id        text NOT NULL,
    run_id        text NOT NULL,
    team_rule     text NOT NULL,
    started_at    timestamptz NOT NULL,
    clear_number  integer NOT NULL DEFAULT 0,
    ended_at      timestamptz,
    missing_since timestamptz,
    checked_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (team, dag_id, run_id)
);
CREATE INDEX runs_by_dag ON sweep.runs (dag_id, started_at DESC);
CREATE INDEX runs_by_check ON sweep.runs (checked_at);

-- Ends of tries that were told lately: by others (heard on Kafka), or dealt with by the sweep.
CREATE TABLE sweep.ends (
    dag_id     text NOT NULL,
    run_id     text NOT NULL,
    task_id    text NOT NULL,
    map_index  integer NOT NULL,
    try_number integer NOT NULL,
    state      text NOT NULL,
    ended_at   timestamptz NOT NULL,
    dealt_with boolean NOT NULL,
    seen_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (dag_id, run_id, task_id, map_index, try_number, state, ended_at)
);
CREATE INDEX ends_by_age ON sweep.ends (seen_at);
