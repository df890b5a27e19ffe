"""What every service needs once: settings, logs, pool and migrations, tokens, HTTP with callers, teams, `run`."""
