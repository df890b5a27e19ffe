"""When spans are made: only where OpenTelemetry's own variables ask for them."""

import pytest
from outrider_chassis.tracing import is_wanted

PLACE = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}


@pytest.mark.parametrize(
    ("environment", "wanted"),
    [
        ({}, False),
        (PLACE, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://collector:4318/v1/traces"}, True),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, True),
        ({**PLACE, "OTEL_TRACES_EXPORTER": "none"}, False),
        ({**PLACE, "OTEL_SDK_DISABLED": "true"}, False),
        ({**PLACE, "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}, True),
        ({**PLACE, "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, False),
        ({**PLACE, "OTEL_TRACES_EXPORTER": "zipkin"}, False),
        ({"OTEL_SERVICE_NAME": "x"}, False),
    ],
)
def test_spans_are_made_where_a_place_for_them_is_named(environment: dict[str, str], wanted: bool) -> None:
    assert is_wanted(environment) is wanted
