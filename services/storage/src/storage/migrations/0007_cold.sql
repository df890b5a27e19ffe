-- How much of a try's inputs came from the store itself, not from a cache.
ALTER TABLE storage.attempts ADD COLUMN staged_cold_bytes bigint;
