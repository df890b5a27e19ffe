-- A start of a run that only a replay has told of. While it counts, nothing of the run is removed.
ALTER TABLE storage.runs ADD COLUMN replayed boolean NOT NULL DEFAULT false;
