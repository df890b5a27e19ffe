-- What people are told of a try: when its data had been carried in and out, and how long that took.
ALTER TABLE storage.attempts
    ADD COLUMN staged_at timestamptz,
    ADD COLUMN staged_seconds double precision,
    ADD COLUMN stored_at timestamptz,
    ADD COLUMN stored_seconds double precision;
