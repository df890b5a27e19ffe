-- What the bus keeps beside a service's own tables: who was heard, what is still to be said, what is sick.
CREATE SCHEMA IF NOT EXISTS bus;

-- One row per record that was worked off. Its key is what makes a redelivery, a replay or a second teller harmless.
CREATE TABLE bus.inbox (
    group_id text NOT NULL,
    topic text NOT NULL,
    event_id text NOT NULL,
    heard_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (group_id, topic, event_id)
);
CREATE INDEX inbox_heard_at ON bus.inbox USING brin (heard_at);

-- Facts and dead letters on their way to Kafka; the relay deletes a row once Kafka has acknowledged it.
CREATE TABLE bus.outbox (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic text NOT NULL,
    id text NOT NULL,
    key bytea,
    value bytea,
    headers jsonb NOT NULL,
    said_at timestamptz NOT NULL DEFAULT now(),
    stuck text,  -- why Kafka will never take this row; it is kept for people to look at and holds nobody up
    UNIQUE (topic, id)
);

CREATE FUNCTION bus.outbox_said() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('bus_outbox', '');
    RETURN NULL;
END $$;
CREATE TRIGGER outbox_said AFTER INSERT ON bus.outbox FOR EACH STATEMENT EXECUTE FUNCTION bus.outbox_said();

-- Records of sick lanes, in the order in which they are to be tried again. Only the first of a lane is ever tried.
CREATE TABLE bus.parked (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    group_id text NOT NULL,
    lane text NOT NULL,
    topic text NOT NULL,
    partition integer NOT NULL,
    "offset" bigint NOT NULL,
    said_at timestamptz NOT NULL,
    key bytea,
    value bytea,
    headers jsonb NOT NULL,
    attempts integer NOT NULL DEFAULT 0,
    next_try_at timestamptz NOT NULL DEFAULT now(),
    parked_at timestamptz NOT NULL DEFAULT now(),
    reason text NOT NULL DEFAULT '',
    UNIQUE (group_id, topic, partition, "offset")
);
CREATE INDEX parked_lane ON bus.parked (group_id, lane, seq);
