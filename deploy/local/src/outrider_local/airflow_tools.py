"""Runs a tool in Airflow's environment, with the plugin and the libraries of this clone to be seen.

`python -m outrider_local.airflow_tools pytest tests/unit/airflow`; the environment is made first where it is missing.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from outrider_local import airflow_install
from outrider_local.errors import StackError
from outrider_local.layout import Layout, default_cache, default_home


def main(arguments: Sequence[str]) -> int:
    """The command line; ends as the tool ends."""
    tool, *rest = arguments
    layout = Layout(home=default_home(), cache=default_cache())
    layout.cache.mkdir(parents=True, exist_ok=True)
    try:
        airflow_install.install(layout)
    except StackError as error:
        print(error, file=sys.stderr)
        return 1
    # Airflow makes its home when it is imported; nothing of the person's own is read or written
    with tempfile.TemporaryDirectory(prefix="outrider-airflow-") as home:
        told = {"PYTHONPATH": airflow_install.site(Path(home) / "site"), "AIRFLOW_HOME": home}
        return subprocess.call([airflow_install.program(layout, tool), *rest], env={**os.environ, **told})


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
