"""What a job is told: `environment.json`, and the same in short as `OUTRIDER_…` variables. Pure: no I/O."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from outrider_contracts.http import Environment, EnvironmentDocument, StoreAddress
from outrider_stage import Layout

_PASSED_ON = ("PATH", "LANG", "LANGUAGE", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR")
"""Of the variables of Airflow's own process a job sees these and `LC_…`: nothing that may hold a secret."""


def document(
    environment: Environment,
    layout: Layout,
    *,
    logical_date: datetime | None,
    params: Mapping[str, Any],
    sources: Mapping[str, Path],
    destinations: Mapping[str, Path],
) -> EnvironmentDocument:
    """The document of one try: directories, or URIs in `uris` mode."""
    task, store = environment.task, environment.store
    if environment.mode == "files":
        inputs = {
            name: [str(layout.part(name, version)) for version in versions]
            for name, versions in environment.inputs.items()
        }
        outputs = {name: str(layout.output(name)) for name in environment.outputs}
    else:
        spell = store.directory if environment.mode == "volume" else store.uri
        inputs = {name: [spell(version.path) for version in each] for name, each in environment.inputs.items()}
        outputs = {name: spell(place.path) for name, place in environment.outputs.items()}
    return EnvironmentDocument(
        team=task.team,
        dag_id=task.dag_id,
        run_id=task.run_id,
        task_id=task.task_id,
        map_index=task.map_index,
        try_number=task.try_number,
        logical_date=logical_date,
        mode=environment.mode,
        fence=environment.fence,
        inputs=inputs,
        outputs=outputs,
        formats=_formats(environment),
        sources={name: str(path) for name, path in sources.items()},
        destinations={name: str(path) for name, path in destinations.items()},
        params=dict(params),
    )


def _formats(environment: Environment) -> dict[str, dict[str, str]]:
    """Declared formats by name; parts of one input share their producer's word."""
    read = {name: parts[0].format for name, parts in environment.inputs.items() if parts}
    written = {name: place.format for name, place in environment.outputs.items()}
    return {
        kind: {name: word for name, word in words.items() if word}
        for kind, words in (("inputs", read), ("outputs", written))
    }


def variables(told: EnvironmentDocument, layout: Layout, file: Path) -> dict[str, str]:
    """The `OUTRIDER_…` variables.

    `OUTRIDER_INPUT_<NAME>` is the input's directory (parts of a mapped producer lie in it as `m0/`, `m1/` …), or the
    URIs, or directories of a volume, of its parts, separated by spaces. Params that are no scalars stand in the
    document only; None stands nowhere.
    """
    inputs = {
        name: str(layout.input(name)) if told.mode == "files" else " ".join(parts)
        for name, parts in told.inputs.items()
    }
    return {
        "OUTRIDER_ENVIRONMENT": str(file),
        "OUTRIDER_TEAM": told.team,
        "OUTRIDER_DAG_ID": told.dag_id,
        "OUTRIDER_RUN_ID": told.run_id,
        "OUTRIDER_TASK_ID": told.task_id,
        "OUTRIDER_MAP_INDEX": str(told.map_index),
        "OUTRIDER_TRY_NUMBER": str(told.try_number),
        **({"OUTRIDER_LOGICAL_DATE": told.logical_date.isoformat()} if told.logical_date else {}),
        **_named("INPUT", inputs),
        **_named("OUTPUT", told.outputs),
        **_named("SOURCE", told.sources),
        **_named("DESTINATION", told.destinations),
        **_named("PARAM", {name: text for name, value in told.params.items() if (text := _scalar(value)) is not None}),
    }


def store_variables(store: StoreAddress) -> dict[str, str]:
    """The AWS SDKs' own settings for a job that talks to the store itself; none where it is no S3."""
    if store.kind != "s3":
        return {}
    endpoint = {"AWS_ENDPOINT_URL": store.endpoint_url, "AWS_ENDPOINT_URL_S3": store.endpoint_url}
    return {
        "AWS_REGION": store.region,
        "AWS_DEFAULT_REGION": store.region,
        "AWS_EC2_METADATA_DISABLED": "true",
        **{name: url for name, url in endpoint.items() if url},
    }


def inherited(environ: Mapping[str, str]) -> dict[str, str]:
    """What a job may know of the process that starts it."""
    return {name: value for name, value in environ.items() if name in _PASSED_ON or name.startswith("LC_")}


def check_names(kind: str, names: Iterable[str]) -> None:
    """Raise ValueError where two names would share a variable: `a-b` and `A_b` are both `A_B`."""
    seen: dict[str, str] = {}
    for name in names:
        if (other := seen.setdefault(_spell(name), name)) != name:
            raise ValueError(f"{kind} {other!r} and {name!r} would share the variable …_{_spell(name)}; rename one")


def _named(kind: str, values: Mapping[str, str]) -> dict[str, str]:
    return {f"OUTRIDER_{kind}_{_spell(name)}": value for name, value in values.items()}


def _spell(name: str) -> str:
    return "".join(letter if letter.isascii() and letter.isalnum() else "_" for letter in name).upper()


def _scalar(value: object) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int | float) else None
