"""Exports spans and metrics over OTLP/HTTP, as the standard variables say, in threads of its own.

An exporter never changes a run: what it can't deliver is lost, and the run ends `SECONDS` later at most.
"""

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from http import HTTPStatus
from time import monotonic
from uuid import uuid4

import requests
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.propagate import extract
from opentelemetry.propagators.textmap import Getter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricExportResult, MetricsData, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExportResult

from reconciler import __version__
from reconciler.core.telemetry import CommandName
from reconciler.telemetry.instruments import Instruments
from reconciler.telemetry.tracer import OpenTelemetry
from reconciler.telemetry.variables import Signal

SECONDS = 2.0
"""A command ends so much later at most, whatever the receiver does."""
SERVICE = "criteo-reconciler"


class Delivery:
    """Whether all exports of a signal were taken. `problem` is "" if they were."""

    def __init__(self) -> None:
        self.problem = ""
        self._status = 0

    def answered(self, response: requests.Response, **_: object) -> None:
        """Refuse a redirect, which the exporter takes for success. It is never followed."""
        self._status = response.status_code
        if HTTPStatus.MULTIPLE_CHOICES <= response.status_code < HTTPStatus.BAD_REQUEST:
            raise requests.TooManyRedirects

    def failed(self) -> None:
        answered = f"the receiver answered {self._status}"
        self.problem = answered if self._status else "the receiver can't be reached"

    def session(self) -> requests.Session:
        session = requests.Session()
        session.hooks["response"].append(self.answered)
        return session


class _Spans(OTLPSpanExporter):
    """Notes what was not taken."""

    def __init__(self, delivery: Delivery) -> None:
        super().__init__(session=delivery.session())
        self._delivery = delivery

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = super().export(spans)
        if result is not SpanExportResult.SUCCESS:
            self._delivery.failed()
        return result


class _Metrics(OTLPMetricExporter):
    """Notes what was not taken."""

    def __init__(self, delivery: Delivery) -> None:
        super().__init__(session=delivery.session())
        self._delivery = delivery

    def export(
        self, metrics_data: MetricsData, timeout_millis: float | None = 10_000, **kwargs: object
    ) -> MetricExportResult:
        result = super().export(metrics_data, timeout_millis, **kwargs)
        if result is not MetricExportResult.SUCCESS:
            self._delivery.failed()
        return result


class _Environ(Getter[Mapping[str, str]]):
    """Reads the context of a trace from variables such as TRACEPARENT."""

    def get(self, carrier: Mapping[str, str], key: str) -> list[str] | None:
        value = carrier.get(key.upper().replace("-", "_"))
        return None if value is None else [value]

    def keys(self, carrier: Mapping[str, str]) -> list[str]:
        return list(carrier)


def start(
    signals: Iterable[Signal],
    environ: Mapping[str, str],
    command: CommandName,
    report: Callable[[str], None],
) -> OpenTelemetry:
    """Begin the root span of a command. `report` receives each problem of exporting, at the end.

    Raises what the libraries raise for values of variables that they can't read.
    """
    about = {"service.name": SERVICE, "service.version": __version__, "service.instance.id": str(uuid4())}
    resource = Resource(about).merge(OTELResourceDetector().detect())
    deliveries = {one: Delivery() for one in signals}
    spans = TracerProvider(resource=resource, shutdown_on_exit=False)
    readers = []
    if Signal.TRACES in deliveries:
        spans.add_span_processor(BatchSpanProcessor(_Spans(deliveries[Signal.TRACES])))
    if Signal.METRICS in deliveries:
        readers.append(PeriodicExportingMetricReader(_Metrics(deliveries[Signal.METRICS])))
    metrics = MeterProvider(readers, resource, shutdown_on_exit=False)
    shutdowns = {Signal.TRACES: spans.shutdown, Signal.METRICS: metrics.shutdown}

    def flush() -> None:
        for signal, problem in _flushed({one: shutdowns[one] for one in deliveries}, deliveries).items():
            report(f"{signal.lower()} were not exported: {problem}")

    return OpenTelemetry(
        spans.get_tracer(SERVICE, __version__),
        Instruments(metrics.get_meter(SERVICE, __version__)),
        command,
        extract(environ, getter=_Environ()),
        flush,
    )


def _flushed(
    shutdowns: Mapping[Signal, Callable[[], None]], deliveries: Mapping[Signal, Delivery]
) -> dict[Signal, str]:
    """Export the rest of all signals at once, within the time limit. Return the problems."""
    end = monotonic() + SECONDS
    threads = {one: threading.Thread(target=work, daemon=True) for one, work in shutdowns.items()}
    for thread in threads.values():
        thread.start()
    for thread in threads.values():
        thread.join(max(0.0, end - monotonic()))
    late = f"the receiver did not take them within {SECONDS:.0f} s"
    problems = {
        one: late if thread.is_alive() else deliveries[one].problem for one, thread in threads.items()
    }
    return {one: problem for one, problem in problems.items() if problem}
