-- The relay leaves out topics that can't be written now: it must find the others' rows without reading past theirs.
CREATE INDEX outbox_topic_seq ON bus.outbox (topic, seq) WHERE stuck IS NULL;
