-- Ends are remembered as long as their run goes on.
CREATE INDEX runs_by_run ON sweep.runs (dag_id, run_id);
