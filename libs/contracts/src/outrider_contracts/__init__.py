"""What Outrider's parts say to each other: facts, topics, teams, places. Pydantic, no I/O."""
