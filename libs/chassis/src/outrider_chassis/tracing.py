"""Where spans go, by OpenTelemetry's own variables alone: nothing is made or sent unless one of them names a place.

`OTEL_EXPORTER_OTLP_ENDPOINT` (or `…_TRACES_ENDPOINT`) or `OTEL_TRACES_EXPORTER=otlp` switch it on; `OTEL_SDK_DISABLED`
or `OTEL_TRACES_EXPORTER=none` off. Sampler, headers, limits and resource attributes are the SDK's own variables.
https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
"""

import os
from collections.abc import Mapping

import structlog
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

_log = structlog.stdlib.get_logger(__name__)
_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")

_LINKS = 500
"""A batch's span has a link to each of its records; by default the SDK drops those beyond 128."""


def is_wanted(environment: Mapping[str, str]) -> bool:
    """Whether *environment* asks for spans. One that asks for what we don't have is told so, and gets none."""
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    exporter = environment.get("OTEL_TRACES_EXPORTER", "").strip().lower()
    if not exporter:
        exporter = "otlp" if any(environment.get(name) for name in _ENDPOINTS) else "none"
    protocol = next((environment[name] for name in _PROTOCOLS if environment.get(name)), "http/protobuf")
    if exporter == "otlp" and protocol != "http/protobuf":
        _log.error("no spans are sent", protocol=protocol, fix="set OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf")
        return False
    if exporter not in ("otlp", "none"):
        _log.error("no spans are sent", exporter=exporter, fix="set OTEL_TRACES_EXPORTER to otlp or none")
    return exporter == "otlp"


def tracer_provider(service: str) -> TracerProvider | None:
    """What makes and sends the spans of *service*; None where nobody asks for any. Shut it down at the end."""
    if not is_wanted(os.environ):
        return None
    resource = Resource.create({} if os.environ.get("OTEL_SERVICE_NAME") else {"service.name": f"outrider-{service}"})
    limits = SpanLimits(max_links=None if os.environ.get("OTEL_SPAN_LINK_COUNT_LIMIT") else _LINKS)
    provider = TracerProvider(resource=resource, span_limits=limits, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider
