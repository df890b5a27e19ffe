-- What people did with dead letters. The log can't be changed, so what became of a letter stands here.
CREATE TABLE bus.dead_letters (
    partition integer NOT NULL,
    "offset" bigint NOT NULL,
    state text NOT NULL CHECK (state IN ('trying', 'failed', 'redriven', 'discarded')),
    outcome text NOT NULL DEFAULT '',
    redrives integer NOT NULL DEFAULT 0,
    busy_until timestamptz,  -- of `trying`: until then nobody else takes it up
    actor text NOT NULL,
    reason text NOT NULL,
    changed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (partition, "offset")
);
