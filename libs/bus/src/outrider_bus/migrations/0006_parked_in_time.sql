-- A topic that was deleted and made anew begins its offsets anew: the same offset may be parked of both.
ALTER TABLE bus.parked
    DROP CONSTRAINT parked_group_id_topic_partition_offset_key,
    ADD UNIQUE (group_id, topic, partition, "offset", said_at);
