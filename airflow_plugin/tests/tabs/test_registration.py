"""What Airflow is told of the tabs, and what its other processes are spared."""

import os
import subprocess
import sys

import pytest

_SEEN = """
import sys
from outrider_airflow.plugin import OutriderPlugin as plugin
from airflow.plugins_manager import AirflowPlugin
print(len(plugin.fastapi_apps), len(plugin.external_views), "outrider_airflow.tabs.app" in sys.modules)
"""


@pytest.mark.parametrize(("secret_file", "seen"), [("", "0 0 False"), ("/run/secrets/tabs", "1 4 False")])
def test_only_a_process_that_is_told_the_secrets_file_has_tabs(secret_file: str, seen: str) -> None:
    """And not even that one has made the application before somebody asks."""
    environment = {**os.environ, "AIRFLOW__OUTRIDER__TABS_SECRET_FILE": secret_file}
    done = subprocess.run([sys.executable, "-c", _SEEN], env=environment, capture_output=True, text=True, check=True)

    assert done.stdout.strip() == seen
