"""The two containers that carry data in and out of a pod, and what is read off them afterwards. Pure."""

from dataclasses import dataclass
from typing import Any

from outrider_stage import instructions
from outrider_stage.instructions import READY_FILE

from outrider_airflow.pod.plan import CREDENTIALS_PORT, ROOT, SECRETS, PodPlan

IN, OUT = "outrider-in", "outrider-out"

_TERMINATION_LOG = "/dev/termination-log"
_MARGIN_SECONDS = 10
"""The upload gives up this long before the kubelet would kill it, or there would be no message."""

# A process with the number 1 does not hear of SIGTERM before it has said what to do: a shell says so at once, Python
# only after a while. Where SIGTERM comes in between, Python dies of it and is started again, to store at once.
_SIDECAR = """
trap 'ended=1; kill -TERM "$p" 2>/dev/null' TERM
python3 -m outrider_stage out & p=$!
[ -z "$ended" ] || kill -TERM "$p"
while :; do wait "$p"; code=$?; kill -0 "$p" 2>/dev/null || break; done
[ -z "$ended" ] || [ "$code" != 143 ] || exec python3 -m outrider_stage out now
exit "$code"
"""


def stager_in(plan: PodPlan, mounts: list[dict[str, Any]], identity: dict[str, Any]) -> dict[str, Any]:
    """The first init container: what it brings is there before anything else of the pod starts."""
    return _container(IN, ["python3", "-m", "outrider_stage", "in"], plan, mounts, identity)


def stager_out(plan: PodPlan, mounts: list[dict[str, Any]], identity: dict[str, Any]) -> dict[str, Any]:
    """The sidecar, last of the init containers: it starts before the job, and is ended after it."""
    container = _container(OUT, ["sh", "-c", _SIDECAR.strip()], plan, mounts, identity)
    container["restartPolicy"] = "Always"
    if plan.serves_credentials:  # an SDK may ask at once
        served = ["test", "-f", str(ROOT / READY_FILE)]
        container["startupProbe"] = {"exec": {"command": served}, "periodSeconds": 1, "failureThreshold": 120}
    return container


def _container(
    name: str, command: list[str], plan: PodPlan, mounts: list[dict[str, Any]], identity: dict[str, Any]
) -> dict[str, Any]:
    told = {
        instructions.URL: plan.storage_url,
        instructions.SECRETS: str(SECRETS),
        instructions.ROOT: str(ROOT),
        instructions.MESSAGE: _TERMINATION_LOG,
        instructions.UPLOAD_SECONDS: str(max(plan.upload_seconds - _MARGIN_SECONDS, 1)),
    }
    if plan.serves_credentials:
        told[instructions.CREDENTIALS_PORT] = str(CREDENTIALS_PORT)
    return {
        "name": name,
        "image": plan.stager_image,
        "imagePullPolicy": plan.stager_pull_policy,
        "command": command,
        "env": [{"name": variable, "value": value} for variable, value in told.items()],
        "resources": dict(plan.stager_resources),
        "volumeMounts": mounts,
        "terminationMessagePath": _TERMINATION_LOG,
        "securityContext": dict(identity),
    }


@dataclass(frozen=True)
class Ended:
    """How a container ended."""

    container: str
    exit_code: int
    message: str


def end_of(pod: Any, container: str) -> Ended | None:
    """How the container of a pod (as the API gives it) ended; None where it has not, or never began.

    A sidecar that waits to be started again has ended too: should the job end meanwhile, nothing is stored.
    """
    status = pod.status
    statuses = [*(status.init_container_statuses or ()), *(status.container_statuses or ())] if status else []
    found = next((one for one in statuses if one.name == container), None)
    if found is None:
        return None
    last = found.last_state.terminated if found.last_state else None
    ended = found.state.terminated if found.state else None
    if ended is None and found.state and found.state.waiting:
        ended = last
    if ended is None:
        return None
    return Ended(container, ended.exit_code, ended.message or (last.message if last else None) or ended.reason or "")


def failed_start(pod: Any) -> Ended | None:
    """The init container because of which the job never started, None where there is none. A sidecar is none: however
    it ends, Kubernetes starts it again or has ended it itself."""
    for container in pod.spec.init_containers or ():
        ended = None if container.restart_policy == "Always" else end_of(pod, container.name)
        if ended is not None and ended.exit_code != 0:
            return ended
    return None


def stuck_stager(pod: Any) -> str | None:
    """Why a stager can't be started, where waiting does not help; Airflow looks at the job's own containers alone."""
    for status in (pod.status.init_container_statuses or ()) if pod.status else ():
        waiting = status.state.waiting if status.state else None
        if waiting and waiting.reason in ("ErrImageNeverPull", "InvalidImageName"):
            return f"the image of container {status.name!r} can't be had: {waiting.reason}: {waiting.message or ''}"
    return None
