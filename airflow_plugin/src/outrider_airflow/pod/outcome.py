"""What became of a pod, in words: its phase alone does not tell. Pure, but for the lines that are asked for."""

from collections.abc import Callable

from airflow.providers.cncf.kubernetes.utils.pod_manager import PodPhase
from airflow.providers.cncf.kubernetes.utils.xcom_sidecar import PodDefaults
from airflow.sdk.exceptions import AirflowException
from kubernetes.client import V1Pod

from outrider_airflow.errors import InputNotStaged, JobFailed, OutputNotStored
from outrider_airflow.pod.stagers import IN, OUT, Ended, end_of, failed_start


def error_of(pod: V1Pod, base: str, last_lines: Callable[[], list[str]]) -> AirflowException | None:
    """What went wrong; None where Airflow's own words will do. *last_lines* gives what the job said last."""
    if ended := failed_start(pod):
        return not_started(ended)
    job, stored = end_of(pod, base), end_of(pod, OUT)
    if job is not None and job.exit_code != 0:
        hint = f" ({job.message})" if job.message and job.message != "Error" else ""
        return JobFailed.saying(f"the job ended with exit code {job.exit_code}{hint}", last_lines())
    if job is not None and stored is not None and stored.exit_code != 0:
        return OutputNotStored(told(stored))
    return None


def judged(pod: V1Pod, base: str) -> V1Pod:
    """The pod with the phase it will have: its job and its stager have ended, an author's sidecar may take its time."""
    job, phase = end_of(pod, base), pod.status.phase
    if job is not None and end_of(pod, OUT) is not None and phase not in PodPhase.terminal_states:
        pod.status.phase = PodPhase.FAILED if job.exit_code else PodPhase.SUCCEEDED
    return pod


def not_started(ended: Ended) -> AirflowException:
    """What kept the job from its start."""
    if ended.container == IN:
        return InputNotStaged(told(ended))
    return JobFailed(f"init container {ended.container!r} ended with exit code {ended.exit_code}: {ended.message}")


def held_back(pod: V1Pod, base: str) -> Ended | None:
    """Why nothing is stored though the job has ended and nobody waits any longer (for its XCom, or with Istio)."""
    others = {container.name for container in pod.spec.containers} - {base, PodDefaults.SIDECAR_CONTAINER_NAME}
    going = sorted(name for name in others if end_of(pod, name) is None)
    if not going or end_of(pod, base) is None:
        return None
    return Ended(
        OUT, 1, f"outputs are stored when all of a pod's containers have ended, and {going[0]!r} had not. "
        "Fix: make it a native sidecar, an init container with restart_policy='Always'",
    )  # fmt: skip


def in_the_stagers_words(refused: OutputNotStored, stored: Ended | None) -> OutputNotStored:
    """Storage's refusal of a seal with what the stager said of it."""
    if stored is None or stored.exit_code == 0 or told(stored) in str(refused):
        return refused
    return OutputNotStored(f"{told(stored)}; {refused}")


def told(ended: Ended) -> str:
    """What a stager left as its last word; killed, it leaves none."""
    if ended.exit_code == 1:
        return ended.message
    hint = " (out of memory, or the upload took longer than upload_timeout?)" if ended.exit_code == 137 else ""
    return f"{ended.container} ended with exit code {ended.exit_code}{hint}: {ended.message}"
