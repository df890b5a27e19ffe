"""Spark's configuration: the author's, ours, and what may not be said in it."""

import pytest
from outrider_airflow.spark.conf import application_id, check_conf, configuration
from outrider_airflow.spark.sizes import Sizes

SIZES = Sizes(3, 2, "2g", 1, "512m")
STORE = {"AWS_REGION": "eu-west-1"}


def configured(conf: dict[str, str] | None = None, store: dict[str, str] = STORE) -> dict[str, str]:
    return configuration(
        conf or {}, SIZES, store, pod="load-x", namespace="outrider-team-ads", image="spark:1", pull_policy="Always",
        api_url="https://kubernetes.default.svc",
    )  # fmt: skip


def test_executors_become_the_drivers_own() -> None:
    """Kubernetes then removes them together with its pod."""
    made = configured()

    assert made["spark.kubernetes.driver.pod.name"] == "load-x"
    assert made["spark.app.id"] == made["spark.kubernetes.executor.podNamePrefix"] == application_id("load-x")
    assert made["spark.driver.host"] == "$(SPARK_DRIVER_BIND_ADDRESS)"


def test_an_application_has_one_id_per_pod_whatever_the_pods_name() -> None:
    """It is a label (63 characters) and the beginning of executors' names (47)."""
    assert len(application_id("x" * 200)) <= 47
    assert application_id("load-x") != application_id("load-y")


def test_sizes_are_said_so_that_pods_are_as_large_as_was_counted() -> None:
    made = configured()

    assert (made["spark.executor.instances"], made["spark.executor.memory"]) == ("3", "2g")
    assert made["spark.executor.memoryOverhead"] == "819m"
    assert SIZES.executor_resources["limits"] == {"memory": "2867Mi"}
    assert SIZES.driver_resources["requests"] == {"cpu": "1", "memory": "896Mi"}


def test_s3_is_reached_with_the_credentials_of_the_pods_own_loopback() -> None:
    made = configured()

    assert made["spark.hadoop.fs.s3.impl"] == "org.apache.hadoop.fs.s3a.S3AFileSystem"
    assert "IAMInstance" in made["spark.hadoop.fs.s3a.aws.credentials.provider"]
    assert made["spark.hadoop.fs.s3a.endpoint.region"] == "eu-west-1"
    assert "spark.hadoop.fs.s3a.endpoint" not in made


def test_another_s3_than_awss_is_spoken_to_by_path() -> None:
    made = configured(store={"AWS_ENDPOINT_URL_S3": "http://10.244.0.1:9000"})

    assert made["spark.hadoop.fs.s3a.endpoint"] == "http://10.244.0.1:9000"
    assert made["spark.hadoop.fs.s3a.path.style.access"] == "true"
    assert made["spark.hadoop.fs.s3a.connection.ssl.enabled"] == "false"


def test_authors_may_change_how_s3_is_used_and_not_where_spark_runs() -> None:
    """Ours win; what would contradict an argument or a pod is refused with the fix."""
    made = configured({"spark.hadoop.fs.s3a.performance.flags": "create", "spark.sql.shuffle.partitions": "4"})

    assert made["spark.hadoop.fs.s3a.performance.flags"] == "create"
    assert made["spark.sql.shuffle.partitions"] == "4"


@pytest.mark.parametrize(
    ("name", "fix"),
    [
        ("spark.executor.instances", "executors="),
        ("spark.executor.memory", "executor_memory="),
        ("spark.kubernetes.executor.container.image", "image="),
        ("spark.master", "Leave it out"),
        ("spark.kubernetes.executor.podTemplateFile", "Leave it out"),
        ("spark.dynamicAllocation.enabled", "Leave it out"),
        ("spark.hadoop.fs.s3a.secret.key", "sources="),
        ("spark.ssl.keyPassword", "sources="),
    ],
)
def test_what_may_not_be_said_is_refused_with_the_fix(name: str, fix: str) -> None:
    with pytest.raises(ValueError, match=fix):
        check_conf({name: "x"})


@pytest.mark.parametrize("memory", ["2", "2gb", "1.5g", "0g", "", "g"])
def test_memory_is_written_as_spark_writes_it(memory: str) -> None:
    with pytest.raises(ValueError, match="write '512m' or '4g'"):
        Sizes(1, 1, memory, 1, "1g")


def test_there_is_at_least_one_executor() -> None:
    with pytest.raises(ValueError, match="executors must be"):
        Sizes(0, 1, "1g", 1, "1g")
