"""The session policy of one try: its inputs to read, its outputs to write, nothing else.

A session policy has at most 2,048 characters (AWS STS AssumeRole), so several patterns may have to become fewer,
coarser ones; they never go beyond the places of the try's own inputs and outputs.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from outrider_contracts.places import parse_generation_path

from storage.domain.refusals import Refused

LIMIT = 2048
_WRITE = ["s3:PutObject", "s3:GetObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"]
_TIDY = ["s3:DeleteObject"]
"""For jobs that write themselves: many (Spark's committers) write beside and rename, which is copy and delete."""


@dataclass(frozen=True)
class Access:
    """What one try may touch: read `inputs`, read and write `outputs`. All are generation directories."""

    team: str
    session: str
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    by_job: bool = False
    """The job talks to the store itself: as a file system, which asks for a directory by its bare name too."""


def session_policy(access: Access, bucket: str) -> str:
    """The policy as JSON. Raises Refused where even the coarsest patterns are too long."""
    for outputs in (_exact, _own_generation):
        for inputs in (_exact, _all_parts, _whole_place):
            readable, writable = _spell(inputs, access.inputs), _spell(outputs, access.outputs)
            policy = _policy(access, readable, writable, bucket)
            if len(policy) <= LIMIT:
                return policy
    raise Refused(
        "bad-declaration",
        f"{len(access.inputs)} input and {len(access.outputs)} output directories are too many for one session",
        "declare fewer inputs or outputs per task",
    )


def _spell(pattern: Callable[[str], str], paths: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(map(pattern, paths)))


def _exact(path: str) -> str:
    return f"{path}*"


def _own_generation(path: str) -> str:
    """All outputs of one generation: those of the try."""
    version = parse_generation_path(path)
    return f"{version.place}/*/g{version.generation}/*"


def _all_parts(path: str) -> str:
    """Every generation of this output, and of a mapped task every part."""
    place = parse_generation_path(path).place
    output = path.removeprefix(place).split("/")[1]  # as it is spelt there
    return f"{_dated(place)}{'/m*' if place.count('/') == 4 else ''}/{output}/g*"


def _whole_place(path: str) -> str:
    """The producing task's place, all outputs and parts."""
    return f"{_dated(parse_generation_path(path).place)}/*"


def _dated(place: str) -> str:
    return "/".join(place.split("/")[:4])


def _policy(access: Access, inputs: Sequence[str], outputs: Sequence[str], bucket: str) -> str:
    objects = f"arn:aws:s3:::{bucket}/"
    statements: list[dict[str, object]] = []
    bare = [pattern.removesuffix("/*") for pattern in (*inputs, *outputs) if pattern.endswith("/*")]
    readable = [*inputs, *(bare if access.by_job else ())]
    if readable:
        statements.append(_allow(["s3:GetObject"], [objects + pattern for pattern in readable]))
    if outputs:
        actions = [*_WRITE, *(_TIDY if access.by_job else ())]
        statements.append(_allow(actions, [objects + pattern for pattern in outputs]))
    if patterns := [*dict.fromkeys([*inputs, *outputs])]:
        listing = _allow(["s3:ListBucket"], [objects.rstrip("/")])
        statements.append({**listing, "Condition": {"StringLike": {"s3:prefix": patterns}}})
    if not statements:  # a policy without statements would be refused, one absent would give the whole role
        statements = [{"Effect": "Deny", "Action": "*", "Resource": "*"}]
    return json.dumps({"Version": "2012-10-17", "Statement": statements}, separators=(",", ":"))


def _allow(actions: Sequence[str], resources: Sequence[str]) -> dict[str, object]:
    return {"Effect": "Allow", "Action": list(actions), "Resource": list(resources)}
