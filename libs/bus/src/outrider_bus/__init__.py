"""How facts are said and heard: runners, inbox, outbox, parking, dead letters. The promises stand in `ports`."""
