-- Tokens of what carries data in and out of pods: each is good for one generation alone. Only its hash is kept.
CREATE TABLE storage.tokens (
    digest bytea PRIMARY KEY,
    place text NOT NULL,
    generation int NOT NULL,
    expires_at timestamptz NOT NULL,
    FOREIGN KEY (place, generation) REFERENCES storage.attempts
);
CREATE INDEX tokens_expired ON storage.tokens (expires_at);

-- A later try may go on with the pod of this one: it is not over because its worker was lost.
ALTER TABLE storage.attempts ADD COLUMN adoptable boolean NOT NULL DEFAULT false;
