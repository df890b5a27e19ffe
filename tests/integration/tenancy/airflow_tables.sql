-- The tables of Airflow 3.3.2 that tenancy touches, as `airflow db migrate` makes them.
CREATE TABLE team (name varchar(50) PRIMARY KEY);
CREATE TABLE slot_pool (
    id serial PRIMARY KEY, pool varchar(256) UNIQUE, slots integer NOT NULL, description text,
    include_deferred boolean NOT NULL, team_name varchar(50) REFERENCES team (name) ON DELETE SET NULL
);
CREATE TABLE dag_bundle (name varchar(250) PRIMARY KEY, active boolean);
CREATE TABLE dag_bundle_team (
    dag_bundle_name varchar(250) REFERENCES dag_bundle (name) ON DELETE CASCADE,
    team_name varchar(50) REFERENCES team (name) ON DELETE CASCADE,
    PRIMARY KEY (dag_bundle_name, team_name)
);
