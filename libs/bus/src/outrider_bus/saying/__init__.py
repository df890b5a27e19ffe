"""From a transaction's outbox to Kafka."""
