"""The pod that is made of an author's pod: what is added, what is filled in, and what is left alone."""

from dataclasses import replace
from typing import Any

import pytest
from outrider_airflow.pod.plan import PodPlan
from outrider_airflow.pod.spec import furnish, secret, serve_xcom
from outrider_contracts.names import DerivedNames

ADS = DerivedNames("ads").unix_id
PLAN = PodPlan(
    mode="files", try_number=2, run_started_at="2026-11-01T00:00:00+00:00", variables={"OUTRIDER_TEAM": "ads"},
    stores=True, storage_url="http://storage:80", stager_image="stager:1", stager_pull_policy="IfNotPresent",
    upload_seconds=3600, unix_id=ADS,
)  # fmt: skip


def pod(**spec: Any) -> dict[str, Any]:
    job = {"name": "base", "image": "job:1", "command": ["/job"], "args": ["--fast"]}
    return {"metadata": {"name": "load-x", "namespace": "ads"}, "spec": {"containers": [job], **spec}}


def made(plan: PodPlan = PLAN, **spec: Any) -> dict[str, Any]:
    found: dict[str, Any] = furnish(pod(**spec), plan, base="base")["spec"]
    return found


def named(spec: dict[str, Any], name: str) -> dict[str, Any]:
    containers = [*spec.get("initContainers", ()), *spec["containers"]]
    return next(container for container in containers if container["name"] == name)


def env(container: dict[str, Any]) -> dict[str, Any]:
    return {entry["name"]: entry.get("value", entry.get("valueFrom")) for entry in container["env"]}


def test_the_job_stays_what_it_was() -> None:
    """Its image, its command and its arguments; and it stays the first container."""
    spec = made()

    assert spec["containers"][0]["name"] == "base"
    assert (spec["containers"][0]["image"], spec["containers"][0]["command"]) == ("job:1", ["/job"])
    assert spec["containers"][0]["args"] == ["--fast"]


def test_stagers_stand_around_the_authors_own_containers() -> None:
    """Inputs are there before anything else starts; the sidecar is the last to start and is ended after the job."""
    spec = made(initContainers=[{"name": "mine", "image": "x"}, {"name": "proxy", "restartPolicy": "Always"}])

    assert [one["name"] for one in spec["initContainers"]] == ["outrider-in", "mine", "proxy", "outrider-out"]
    assert named(spec, "outrider-out")["restartPolicy"] == "Always"
    assert "restartPolicy" not in named(spec, "outrider-in")


def test_only_stagers_see_the_token() -> None:
    spec = made(initContainers=[{"name": "mine"}], containers=[{"name": "base"}, {"name": "side"}])

    sees = {
        container["name"]
        for container in (*spec["initContainers"], *spec["containers"])
        if any(mount["name"] == "outrider-token" for mount in container["volumeMounts"])
    }
    assert sees == {"outrider-in", "outrider-out"}


def test_all_containers_share_the_directory_but_airflows_own() -> None:
    spec = made(containers=[{"name": "base"}, {"name": "side"}, {"name": "airflow-xcom-sidecar"}])

    assert [mount["mountPath"] for mount in named(spec, "side")["volumeMounts"]] == ["/outrider"]
    assert "volumeMounts" not in named(spec, "airflow-xcom-sidecar")


VOLUME = replace(PLAN, mode="volume", stores=False, volume_of="ads")


def mounted(spec: dict[str, Any], volume: str) -> dict[str, str]:
    """Who has the volume, and where."""
    return {
        container["name"]: mount["mountPath"]
        for container in (*spec["initContainers"], *spec["containers"])
        for mount in container.get("volumeMounts", ())
        if mount["name"] == volume
    }


def test_a_job_on_the_volume_has_the_team_s_directory_and_nothing_beside_it() -> None:
    """There is nothing to carry: no sidecar, and the stager that writes its document never sees the volume."""
    own = [{"name": "base"}, {"name": "side"}, {"name": "airflow-xcom-sidecar"}]
    spec = made(VOLUME, initContainers=[{"name": "mine"}], containers=own)

    claims = [volume["persistentVolumeClaim"] for volume in spec["volumes"] if volume["name"] == "outrider-volume"]
    assert claims == [{"claimName": "outrider-volume"}]
    assert mounted(spec, "outrider-volume") == dict.fromkeys(("mine", "base", "side"), "/mnt/outrider/ads")
    assert [one["name"] for one in spec["initContainers"]] == ["outrider-in", "mine"]
    assert spec["securityContext"]["fsGroupChangePolicy"] == "OnRootMismatch"


def test_files_of_a_team_on_the_volume_are_carried_by_stagers_alone() -> None:
    """As from S3, the job finds plain directories of its own, and no other task's data."""
    spec = made(replace(PLAN, volume_of="ads"))

    assert mounted(spec, "outrider-volume") == dict.fromkeys(("outrider-in", "outrider-out"), "/mnt/outrider/ads")


def test_the_pod_has_the_time_an_upload_takes() -> None:
    """The kubelet waits for the sidecar as long as the pod's own grace is; the sidecar gives up before."""
    spec = made(replace(PLAN, upload_seconds=100))

    assert spec["terminationGracePeriodSeconds"] == 100
    assert float(env(named(spec, "outrider-out"))["OUTRIDER_STAGE_UPLOAD_SECONDS"]) < 100


def test_ours_win_over_the_authors_variables_but_for_the_home() -> None:
    job = {"name": "base", "env": [{"name": "OUTRIDER_TEAM", "value": "news"}, {"name": "HOME", "value": "/srv"}]}
    spec = made(containers=[job])

    assert env(named(spec, "base")) == {"OUTRIDER_TEAM": "ads", "HOME": "/srv", "TMPDIR": "/outrider/tmp"}


def test_a_param_reaches_the_job_as_it_was_given() -> None:
    """Kubernetes puts earlier variables in for `$(NAME)`, secrets too, and makes `$` of `$$`: a param is data."""
    plan = replace(PLAN, variables={"OUTRIDER_PARAM_PATTERN": "^$(PASSWORD)$$ costs 5$"})

    assert env(named(made(plan), "base"))["OUTRIDER_PARAM_PATTERN"] == "^$$(PASSWORD)$$$$ costs 5$$"


def test_what_is_left_open_is_filled_in_as_restricted_asks() -> None:
    spec = made(initContainers=[{"name": "mine"}], containers=[{"name": "base"}, {"name": "airflow-xcom-sidecar"}])

    assert spec["securityContext"] == {
        "runAsUser": ADS, "runAsGroup": ADS, "fsGroup": ADS, "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
    }  # fmt: skip
    for container in (*spec["initContainers"], *spec["containers"]):
        assert container["securityContext"]["allowPrivilegeEscalation"] is False
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert spec["automountServiceAccountToken"] is False


def test_what_the_author_said_of_security_stands() -> None:
    """Even where the namespace will refuse it: then the refusal is Kubernetes' own."""
    job = {"name": "base", "securityContext": {"privileged": True}}
    spec = made(securityContext={"runAsUser": 0}, containers=[job], automountServiceAccountToken=True)

    assert spec["securityContext"]["runAsUser"] == 0
    assert "runAsNonRoot" not in spec["securityContext"]
    assert named(spec, "base")["securityContext"] == {"privileged": True}
    assert spec["automountServiceAccountToken"] is True


def test_stagers_run_as_the_job_does() -> None:
    """Each can read what the other wrote."""
    spec = made(containers=[{"name": "base", "securityContext": {"runAsUser": 7, "runAsGroup": 8}}])

    for name in ("outrider-in", "outrider-out"):
        context = named(spec, name)["securityContext"]
        assert (context["runAsUser"], context["runAsGroup"]) == (7, 8)


def test_a_task_without_outputs_has_no_sidecar() -> None:
    """There is nothing to do once the job has ended."""
    spec = made(replace(PLAN, stores=False))

    assert [one["name"] for one in spec["initContainers"]] == ["outrider-in"]


def test_a_job_that_talks_to_the_store_gets_credentials_that_renew_themselves() -> None:
    """By no literal in the pod: the word that opens them stands in the Secret."""
    spec = made(replace(PLAN, mode="uris", stores=False))

    token = env(named(spec, "base"))["AWS_CONTAINER_AUTHORIZATION_TOKEN"]
    assert token["secretKeyRef"]["key"] == "credentials-token"
    assert token["secretKeyRef"]["name"].startswith("load-x-")
    assert env(named(spec, "outrider-out"))["OUTRIDER_STAGE_CREDENTIALS_PORT"] != "0"
    assert named(spec, "outrider-out")["startupProbe"]["periodSeconds"] == 1


def test_connections_are_mounted_for_the_job_alone() -> None:
    spec = made(replace(PLAN, connections=("sources/raw.json",)), containers=[{"name": "base"}, {"name": "side"}])

    (volume,) = [v for v in spec["volumes"] if v["name"] == "outrider-connections"]
    assert volume["secret"]["items"] == [{"key": "sources.raw.json", "path": "sources/raw.json"}]
    assert [mount["name"] for mount in named(spec, "base")["volumeMounts"]] == ["outrider", "outrider-connections"]
    assert [mount["name"] for mount in named(spec, "side")["volumeMounts"]] == ["outrider"]


def test_a_workspace_is_asked_for_and_bounded() -> None:
    spec = made(replace(PLAN, workspace="10Gi"))

    assert {"name": "outrider", "emptyDir": {"sizeLimit": "10Gi"}} in spec["volumes"]
    assert named(spec, "base")["resources"]["requests"]["ephemeral-storage"] == "10Gi"


def test_the_pod_says_which_try_it_is_of() -> None:
    """A later try of the task goes on with it by this."""
    annotations = furnish(pod(), PLAN, base="base")["metadata"]["annotations"]

    assert annotations == {"outrider/try": "2", "outrider/run-started-at": "2026-11-01T00:00:00+00:00"}


@pytest.mark.parametrize("spec", [{"volumes": [{"name": "outrider"}]}, {"initContainers": [{"name": "outrider-in"}]}])
def test_names_of_ours_are_refused(spec: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="are taken"):
        made(**spec)


def test_the_authors_pod_is_not_changed() -> None:
    before = pod()
    furnish(before, PLAN, base="base")

    assert before == pod()


def test_a_service_account_is_filled_in_where_none_is_named() -> None:
    assert furnish(pod(), PLAN, base="base", service_account="job")["spec"]["serviceAccountName"] == "job"
    named_one = furnish(pod(serviceAccountName="mine"), PLAN, base="base", service_account="job")
    assert named_one["spec"]["serviceAccountName"] == "mine"


def test_xcom_is_served_by_an_image_the_node_has() -> None:
    found = serve_xcom(pod(containers=[{"name": "base"}, {"name": "airflow-xcom-sidecar"}]), image="s", pull_policy="x")

    assert named(found["spec"], "airflow-xcom-sidecar")["image"] == "s"
    assert "image" not in named(found["spec"], "base")


def test_the_secret_goes_with_the_pod() -> None:
    """Kubernetes removes it together with its owner; its keys hold no slash."""
    furnished = furnish(pod(), PLAN, base="base")
    found = secret(furnished, "uid-1", {"token": "t", "sources/raw.json": "{}"})

    [volume] = [one for one in furnished["spec"]["volumes"] if one["name"] == "outrider-token"]
    assert found["metadata"]["name"] == volume["secret"]["secretName"]
    assert found["stringData"] == {"token": "t", "sources.raw.json": "{}"}
    assert [owner["uid"] for owner in found["metadata"]["ownerReferences"]] == ["uid-1"]


def test_another_tries_pod_of_the_same_name_has_another_secret() -> None:
    """The one before may still be there: it goes a little later than its pod."""
    tries = [furnish(pod(), replace(PLAN, try_number=number), base="base") for number in (1, 2)]

    assert len({secret(one, "uid", {})["metadata"]["name"] for one in tries}) == 2
