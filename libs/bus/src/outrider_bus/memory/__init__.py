"""The twin in memory, for tests."""
