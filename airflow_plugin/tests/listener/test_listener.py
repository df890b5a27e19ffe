"""The hooks as Airflow sees them."""

import importlib.metadata
import logging
import subprocess
import sys

import pytest
from airflow.listeners.listener import get_listener_manager
from outrider_airflow import listener


def test_airflow_finds_the_plugin_and_the_policies_once() -> None:
    plugins = importlib.metadata.entry_points(group="airflow.plugins", name="outrider")
    policies = importlib.metadata.entry_points(group="airflow.policy", name="outrider")

    assert [point.value for point in plugins] == ["outrider_airflow.plugin:OutriderPlugin"]
    assert [point.value for point in policies] == ["outrider_airflow.policies"]


def test_every_hook_is_one_that_airflow_calls() -> None:
    """Airflow has registered the module, and with that checked names and arguments against its specifications."""
    hooks = {name for name in dir(listener) if name.startswith(("on_", "before_"))}

    called = {hook.name for hook in get_listener_manager().pm.get_hookcallers(listener) or ()}

    assert called == hooks


def test_a_hook_that_fails_says_so_and_raises_nothing(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> None:
        raise OSError("no configuration")

    monkeypatch.setattr(listener, "settings", broken)

    with caplog.at_level(logging.WARNING):
        listener.on_task_instance_success(previous_state=None, task_instance=object())

    assert "outrider could not tell: task finished" in caplog.text


def test_loading_the_plugin_loads_neither_the_client_nor_the_contracts() -> None:
    """Every process of Airflow loads it; only those that speak pay."""
    code = (
        "import sys, outrider_airflow.plugin, outrider_airflow.policies;"
        "print([m for m in sys.modules if m.startswith(('confluent_kafka', 'outrider_contracts', 'outrider_stage'))])"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.splitlines()[-1] == "[]"
