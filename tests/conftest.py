"""What holds for every test, and the stack that end-to-end and fault tests share."""

import os

from tests.riding import flown, ride

__all__ = ["flown", "ride"]

# A test says what its settings are; those of the person who runs it must not leak in.
for name in [name for name in os.environ if name.startswith(("TENANCY_", "STORAGE_", "LINEAGE_", "SWEEP_", "AWS_"))]:
    del os.environ[name]
