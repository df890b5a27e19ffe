"""Cluster policies that give any operator its place (entry point `airflow.policy`, beside `policies`)."""

import logging
from collections.abc import Generator, Mapping
from typing import Any

from airflow.policies import hookimpl

_log = logging.getLogger(__name__)


@hookimpl(wrapper=True)
def get_airflow_context_vars(context: Any) -> Generator[None, Mapping[str, str] | None, dict[str, str]]:
    """Add ours to what a site's own policy says, which counts where both name something."""
    site = (yield) or {}
    return {**_ours(context), **site}


@hookimpl
def pod_mutation_hook(pod: Any) -> None:
    """In a task's process: tell a KubernetesPodOperator's job where its place is."""
    from outrider_airflow import plain

    plain.tell_pod(pod)


def _ours(context: Any) -> dict[str, str]:
    try:
        from outrider_airflow import plain

        return plain.context_variables(context)
    except Exception:  # noqa: BLE001  a plain task never fails for Outrider
        _log.warning("outrider could not say where this task's place is", exc_info=True)
        return {}
