"""What the service does, once for events, HTTP and timers: claim, act outside, keep the outcome and say it."""
