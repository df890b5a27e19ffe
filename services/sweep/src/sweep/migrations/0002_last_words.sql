-- The order in which ends were told, tasks of which two tellings differ, and up to when a run's clears are counted.
ALTER TABLE sweep.ends ADD COLUMN seq bigint GENERATED ALWAYS AS IDENTITY;

CREATE TABLE sweep.doubts (
    dag_id    text NOT NULL,
    run_id    text NOT NULL,
    task_id   text NOT NULL,
    map_index integer NOT NULL,
    since     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (dag_id, run_id, task_id, map_index)
);

ALTER TABLE sweep.runs ADD COLUMN counted_to timestamptz;
