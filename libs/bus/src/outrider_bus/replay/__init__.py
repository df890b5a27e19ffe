"""Having a stretch of a topic handled once more: planned, ordered, worked off beside what is heard."""
