"""Spans and metrics by OpenTelemetry. Only `tracer`, `exporters` and `instruments` import its libraries."""
