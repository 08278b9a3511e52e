"""The real telemetry over exporters in memory."""

from dataclasses import dataclass

from opentelemetry.context import Context
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from reconciler.core.telemetry import CommandName
from reconciler.telemetry.instruments import Instruments
from reconciler.telemetry.tracer import OpenTelemetry


@dataclass(frozen=True)
class Recorded:
    """Telemetry, and the spans and metrics of it."""

    telemetry: OpenTelemetry
    exporter: InMemorySpanExporter
    reader: InMemoryMetricReader

    @property
    def spans(self) -> tuple[ReadableSpan, ...]:
        return self.exporter.get_finished_spans()

    def named(self, name: str) -> ReadableSpan:
        [span] = [one for one in self.spans if one.name == name]
        return span

    def sums(self, metric: str) -> dict[str, float]:
        """Return the values of a metric by the values of its attributes; of a histogram, the sums."""
        data = self.reader.get_metrics_data()
        assert data
        scopes = [scope for one in data.resource_metrics for scope in one.scope_metrics]
        found = [one for scope in scopes for one in scope.metrics if one.name == metric]
        return {
            " ".join(str(value) for value in point.attributes.values()): getattr(
                point, "value", getattr(point, "sum", 0)
            )
            for one in found
            for point in one.data.data_points
        }


def recorded() -> Recorded:
    exporter, reader = InMemorySpanExporter(), InMemoryMetricReader()
    spans = TracerProvider(shutdown_on_exit=False)
    spans.add_span_processor(SimpleSpanProcessor(exporter))
    metrics = MeterProvider([reader], shutdown_on_exit=False)
    instruments = Instruments(metrics.get_meter("test"))
    telemetry = OpenTelemetry(
        spans.get_tracer("test"), instruments, CommandName("plan"), Context(), lambda: None
    )
    return Recorded(telemetry, exporter, reader)
