-- Teams as accepted from the onboarding topic: the truth that the work follows. Rows are never deleted: a freed id is
-- never given away again.
CREATE TABLE teams (
    team text PRIMARY KEY,
    uid text NOT NULL UNIQUE,
    generation bigint NOT NULL,
    digest text NOT NULL,
    lifecycle text NOT NULL,
    orphaned boolean NOT NULL,
    record jsonb NOT NULL,
    due_at timestamptz NOT NULL,
    accepted_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX teams_due ON teams (due_at) WHERE NOT orphaned;

-- Who may ask for tokens besides the platform's own clients. Hashes only.
CREATE TABLE clients (
    client_id text PRIMARY KEY,
    team text NOT NULL,
    secret_sha256 text NOT NULL,
    changed_at timestamptz NOT NULL DEFAULT now()
);
