"""Reading a group's share of Kafka: polling for ever, offsets, what goes wrong on the way."""
