-- What is known of teams, from outrider.tenants.status.v1. The newest status of each, whatever the order of arrival.
CREATE SCHEMA IF NOT EXISTS chassis;
CREATE TABLE chassis.teams (
    team text PRIMARY KEY,
    phase text NOT NULL,
    updated_at timestamptz NOT NULL,
    status jsonb NOT NULL
);
