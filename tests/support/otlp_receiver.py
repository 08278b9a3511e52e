"""A receiver of OTLP over HTTP on this machine, and what it was sent."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from support.http_receiver import HttpReceiver, serving

TRACES, METRICS = "/v1/traces", "/v1/metrics"


def values(pairs: Iterator[KeyValue]) -> dict[str, object]:
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in pairs}


@dataclass(frozen=True)
class Received:
    """A span as it arrived. `parent` is the name of its parent; "" for a root."""

    name: str
    parent: str
    trace: str
    parent_id: str
    failed: bool
    attributes: Mapping[str, object]


class Receiver(HttpReceiver):
    """A collector of spans and metrics."""

    def spans(self) -> list[Received]:
        """Return all spans, by the time of their start."""
        found = []
        for content in self._of(TRACES):
            request = ExportTraceServiceRequest()
            request.ParseFromString(content)
            scopes = [scope for one in request.resource_spans for scope in one.scope_spans]
            found += [span for scope in scopes for span in scope.spans]
            assert not any(span.events or span.status.message for span in found)
        names = {span.span_id: span.name for span in found}
        return [
            Received(
                span.name,
                names.get(span.parent_span_id, ""),
                span.trace_id.hex(),
                span.parent_span_id.hex(),
                span.status.code == span.status.STATUS_CODE_ERROR,
                values(span.attributes),
            )
            for span in sorted(found, key=lambda span: span.start_time_unix_nano)
        ]

    def root(self) -> Received:
        [root] = [one for one in self.spans() if one.name.startswith("reconciler ")]
        return root

    def points(self) -> dict[str, list[tuple[dict[str, object], float]]]:
        """Return attributes and value of all points by metric; of a histogram, the number of values."""
        found: dict[str, list[tuple[dict[str, object], float]]] = {}
        for content in self._of(METRICS):
            request = ExportMetricsServiceRequest()
            request.ParseFromString(content)
            scopes = [scope for one in request.resource_metrics for scope in one.scope_metrics]
            for metric in (metric for scope in scopes for metric in scope.metrics):
                kind = metric.WhichOneof("data")
                for point in getattr(metric, kind).data_points:
                    value = point.count if kind == "histogram" else point.as_int
                    found.setdefault(metric.name, []).append((values(point.attributes), value))
        return found

    def resource(self) -> dict[str, object]:
        request = ExportTraceServiceRequest()
        request.ParseFromString(self._of(TRACES)[0])
        return values(request.resource_spans[0].resource.attributes)

    def _of(self, path: str) -> list[bytes]:
        return [content for at, content, _ in self.got if at == path]


@contextmanager
def receiving() -> Iterator[Receiver]:
    with serving(Receiver()) as receiver:
        yield receiver
