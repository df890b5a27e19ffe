"""Runs a tool in Airflow's environment, with the plugin and the libraries of this clone to be seen.

`python -m outrider_local.airflow_tools pytest tests/unit/airflow`; the environment is made first where it is missing.
"""

import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from outrider_local import airflow_install
from outrider_local.errors import StackError
from outrider_local.layout import Layout, default_cache, default_home


def main(arguments: Sequence[str]) -> int:
    """The command line; the process becomes the tool."""
    tool, *rest = arguments
    layout = Layout(home=default_home(), cache=default_cache())
    layout.cache.mkdir(parents=True, exist_ok=True)
    try:
        airflow_install.install(layout)
    except StackError as error:
        print(error, file=sys.stderr)
        return 1
    # Airflow makes its home when it is imported; nothing of the person's own is read or written
    home = Path(tempfile.gettempdir()) / f"outrider-airflow-tools-{os.getuid()}"
    home.mkdir(mode=0o700, exist_ok=True)
    told = {"PYTHONPATH": airflow_install.site(home / "site"), "AIRFLOW_HOME": str(home)}
    program = str(airflow_install.program(layout, tool))
    os.execve(program, [program, *rest], {**os.environ, **told})


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
