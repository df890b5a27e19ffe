"""The messages of the AsyncAPI document: one per type of event, OpenLineage's run event, and the dead letter."""

import inspect
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic.json_schema import models_json_schema

from outrider_contracts.event import Event
from outrider_contracts.events import event_types
from outrider_contracts.topics import SHARED

Json = dict[str, Any]
OPENLINEAGE = "openlineage.run-event"
DEAD_LETTER = "outrider.dead-letter"
SAMPLES = Path(__file__).parents[2] / "samples"
_OPENLINEAGE_SCHEMA = "https://openlineage.io/spec/2-0-2/OpenLineage.json"
_KEYS = {spec.name: spec.key for spec in SHARED}
_TEXT: Json = {"type": "string"}
_CLOUDEVENT: Json = {
    "type": "object",
    "description": "CloudEvents 1.0, Kafka binary mode: header values are UTF-8.",
    "required": ["ce_specversion", "ce_id", "ce_type", "ce_source", "content-type"],
    "properties": {
        "ce_specversion": {"const": "1.0"},
        "ce_id": {**_TEXT, "description": "Equal for every telling of one fact: deduplicate by it."},
        "ce_type": _TEXT,
        "ce_source": {**_TEXT, "format": "uri-reference", "description": "Who said it."},
        "ce_subject": {**_TEXT, "description": "The record key again."},
        "ce_time": {**_TEXT, "format": "date-time", "description": "When it happened, as its source records it."},
        "ce_causationid": {**_TEXT, "description": "`ce_id` of the fact that this one answers."},
        "content-type": {"const": "application/json"},
        "traceparent": {**_TEXT, "description": "W3C trace context; all facts of a run are in one trace."},
    },
}
_DEAD_LETTER_HEADERS: Json = {
    "dlq-group": "the consumer group that could not take it",
    "dlq-origin-topic": "where it lay",
    "dlq-origin-partition": "where it lay",
    "dlq-origin-offset": "where it lay",
    "dlq-origin-timestamp": "the record's time there, ISO 8601",
    "dlq-stage": "what failed: headers, value, validate, decode, handle, or a decoder's own word",
    "dlq-reason": "in words, at most 1,000 characters",
    "dlq-attempts": "how often it was tried",
}


def messages(names: Iterable[str]) -> tuple[Json, Json]:
    """The messages of these names, and the schemas that they refer to."""
    kinds = {name: event_types()[name] for name in names if name in event_types()}
    _, defined = models_json_schema(
        [(kind, "serialization") for kind in kinds.values()],
        by_alias=True,
        ref_template="#/components/schemas/{model}",
    )
    spelled = {name: _fact(kind) for name, kind in kinds.items()}
    others = {OPENLINEAGE: _openlineage, DEAD_LETTER: _dead_letter}
    spelled |= {name: others[name]() for name in names if name in others}
    return dict(sorted(spelled.items())), dict(sorted({**defined.get("$defs", {}), "CloudEvent": _CLOUDEVENT}.items()))


def _fact(kind: type[Event]) -> Json:
    sample = json.loads((SAMPLES / f"{kind.type}.json").read_text())
    return {
        "name": kind.type,
        "title": kind.__name__,
        "summary": (inspect.getdoc(kind) or "").split("\n\n")[0].replace("\n", " "),
        "contentType": "application/json",
        "headers": {
            "allOf": [{"$ref": "#/components/schemas/CloudEvent"}, {"properties": {"ce_type": {"const": kind.type}}}]
        },
        "payload": {"$ref": f"#/components/schemas/{kind.__name__}"},
        "bindings": _key(_KEYS[kind.topic]),
        "examples": [{"name": "sample", "headers": sample["headers"], "payload": sample["value"]}],
    }


def _openlineage() -> Json:
    return {
        "name": OPENLINEAGE,
        "title": "OpenLineage run event",
        "summary": "As OpenLineage publishes it, without CloudEvents headers.",
        "contentType": "application/json",
        "externalDocs": {"description": "The schema of the whole event", "url": _OPENLINEAGE_SCHEMA},
        "payload": {
            "type": "object",
            "description": f"What {_OPENLINEAGE_SCHEMA} requires of a run event; the rest is there.",
            "required": ["eventTime", "producer", "schemaURL", "run", "job"],
            "properties": {
                "eventType": {"enum": ["START", "RUNNING", "COMPLETE", "ABORT", "FAIL", "OTHER"]},
                "eventTime": {**_TEXT, "format": "date-time"},
                "producer": {**_TEXT, "format": "uri"},
                "schemaURL": {**_TEXT, "format": "uri"},
                "run": _openlineage_part({"runId": {**_TEXT, "format": "uuid"}}),
                "job": _openlineage_part({"namespace": _TEXT, "name": _TEXT}),
                "inputs": {"type": "array", "items": _openlineage_part({"namespace": _TEXT, "name": _TEXT})},
                "outputs": {"type": "array", "items": _openlineage_part({"namespace": _TEXT, "name": _TEXT})},
            },
        },
        "bindings": _key("`run:{namespace}/{name}` of the root job, as the OpenLineage client keys it"),
    }


def _openlineage_part(required: Json) -> Json:
    return {"type": "object", "required": list(required), "properties": {**required, "facets": {"type": "object"}}}


def _dead_letter() -> Json:
    return {
        "name": DEAD_LETTER,
        "title": "Dead letter",
        "summary": "A record nobody could take: its key, value and headers byte for byte, ours behind its own.",
        "contentType": "application/octet-stream",
        "headers": {
            "type": "object",
            "required": list(_DEAD_LETTER_HEADERS),
            "properties": {name: {**_TEXT, "description": says} for name, says in _DEAD_LETTER_HEADERS.items()},
        },
        "payload": {"description": "Any bytes, or none."},
        "bindings": _key("as in the topic it comes from"),
    }


def _key(says: str) -> Json:
    return {"kafka": {"key": {**_TEXT, "description": says}, "bindingVersion": "0.5.0"}}
