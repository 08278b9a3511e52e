"""Which variables ask for which signals."""

import pytest

from reconciler.telemetry.variables import Request, Signal, requested

BOTH = frozenset(Signal)
URL = "http://127.0.0.1:4318"


@pytest.mark.parametrize(
    ("environ", "signals"),
    [
        ({}, frozenset()),
        ({"OTEL_SERVICE_NAME": "audiences", "TRACEPARENT": "00-1-2-01"}, frozenset()),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, frozenset()),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": URL}, BOTH),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": URL, "OTEL_SDK_DISABLED": "True"}, frozenset()),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": URL, "OTEL_TRACES_EXPORTER": "none"}, {Signal.METRICS}),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": URL, "OTEL_METRICS_EXPORTER": "None"}, {Signal.TRACES}),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": URL}, {Signal.TRACES}),
        ({"OTEL_METRICS_EXPORTER": "otlp"}, {Signal.METRICS}),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": URL, "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}, BOTH),
    ],
)
def test_a_signal_is_exported_if_an_exporter_or_an_endpoint_is_named(environ, signals) -> None:
    assert requested(environ) == Request(frozenset(signals))


@pytest.mark.parametrize(
    ("environ", "signals", "problem"),
    [
        ({"OTEL_TRACES_EXPORTER": "console"}, set(), "OTEL_TRACES_EXPORTER must be otlp or none"),
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": URL, "OTEL_METRICS_EXPORTER": "prometheus"},
            {Signal.TRACES},
            "OTEL_METRICS_EXPORTER must be otlp or none",
        ),
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": URL, "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
            set(),
            "OTEL_EXPORTER_OTLP_PROTOCOL must be http/protobuf",
        ),
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": URL, "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL": "grpc"},
            {Signal.TRACES},
            "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL must be http/protobuf",
        ),
    ],
)
def test_a_value_that_is_not_supported_is_one_problem(environ, signals, problem) -> None:
    assert requested(environ) == Request(frozenset(signals), (problem,))
