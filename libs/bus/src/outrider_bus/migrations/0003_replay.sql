-- Replays: who asked for what, how far it is, and who works on it. The lease ends by itself when its holder dies; the
-- epoch tells a holder that came back that somebody else has taken over.
CREATE TABLE bus.replays (
    id text PRIMARY KEY,
    group_id text NOT NULL,
    choice jsonb NOT NULL,
    actor text NOT NULL,
    reason text NOT NULL,
    digest text NOT NULL,
    status text NOT NULL DEFAULT 'queued',
    counts jsonb NOT NULL DEFAULT '{}',
    note text NOT NULL DEFAULT '',
    epoch bigint NOT NULL DEFAULT 0,
    lease_until timestamptz NOT NULL DEFAULT '-infinity',
    created_at timestamptz NOT NULL DEFAULT now(),
    changed_at timestamptz NOT NULL DEFAULT now()
);

-- What it reads of each partition: from start up to end (frozen by the plan), worked off up to cursor.
CREATE TABLE bus.replay_partitions (
    replay_id text NOT NULL REFERENCES bus.replays ON DELETE CASCADE,
    partition integer NOT NULL,
    start_offset bigint NOT NULL,
    end_offset bigint NOT NULL,
    cursor bigint NOT NULL,
    PRIMARY KEY (replay_id, partition)
);

-- The first records that could not be handled, with the reason.
CREATE TABLE bus.replay_failures (
    replay_id text NOT NULL REFERENCES bus.replays ON DELETE CASCADE,
    partition integer NOT NULL,
    "offset" bigint NOT NULL,
    reason text NOT NULL,
    PRIMARY KEY (replay_id, partition, "offset")
);
