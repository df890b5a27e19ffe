"""How facts are said and heard. The promises stand in `ports`; `bus` puts the parts together.

`reading` takes records from Kafka, `handling` works them off, `saying` carries to Kafka what was said meanwhile.
`operators` and `replay` are what people do by hand, `memory` is the twin for tests. What stands beside them, from
`records` to `database`, is what they share.
"""

from pathlib import Path

MIGRATIONS = Path(__file__).parent / "migrations"
"""Numbered SQL files of schema `bus`; a service applies them before its own."""
