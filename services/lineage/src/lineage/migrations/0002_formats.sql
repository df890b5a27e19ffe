-- The word a producer declared for the format of an output.
ALTER TABLE lineage.writes ADD COLUMN format text COLLATE "C" NOT NULL DEFAULT '';
