"""Implements `core.telemetry.Telemetry` with OpenTelemetry."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from time import monotonic, time_ns

from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, StatusCode, Tracer, set_span_in_context

from reconciler.core.events import Event
from reconciler.core.telemetry import (
    NONE,
    Attribute,
    Attributes,
    CommandName,
    ErrorName,
    SpanName,
    Value,
    exported,
)
from reconciler.telemetry.instruments import Instruments


class OpenTelemetry:
    """The spans of one command below one root span. A thread's first span is a child of the root span."""

    def __init__(
        self,
        tracer: Tracer,
        instruments: Instruments,
        command: CommandName,
        parent: Context,
        flush: Callable[[], None],
    ) -> None:
        """`parent` is the context that started the process. `flush` exports what is left."""
        self._tracer = tracer
        self._instruments = instruments
        self._flush = flush
        self._since = monotonic()
        self._noted: dict[Attribute, Value] = {Attribute.COMMAND: command}
        self._root = self._started(SpanName.COMMAND, self._noted, parent)
        self._open = threading.local()

    def emit(self, event: Event) -> None:
        self._instruments.emit(event)

    @contextmanager
    def span(self, name: SpanName, attributes: Attributes = NONE) -> Iterator[None]:
        noted, since = dict(attributes), monotonic()
        span = self._started(name, noted, self._context())
        stack = self._stack()
        stack.append((span, noted))
        try:
            yield
        except BaseException as error:
            _note(span, noted, Attribute.ERROR, ErrorName.of(error))
            raise
        finally:
            stack.pop()
            span.end()
            self._instruments.took(name, monotonic() - since, noted)

    def record(self, name: SpanName, took: timedelta, attributes: Attributes = NONE) -> None:
        end, seconds = time_ns(), max(0.0, took.total_seconds())
        span = self._started(name, attributes, self._context(), end - int(seconds * 1e9))
        span.end(end)
        self._instruments.took(name, seconds, attributes)

    def note(self, attribute: Attribute, value: Value) -> None:
        stack = self._stack()
        span, noted = stack[-1] if stack else (self._root, self._noted)
        _note(span, noted, attribute, value)

    def end(self, exit_code: int) -> None:
        _note(self._root, self._noted, Attribute.EXIT_CODE, exit_code)
        self._root.end()
        self._instruments.took(SpanName.COMMAND, monotonic() - self._since, self._noted)
        self._flush()

    def _stack(self) -> list[tuple[Span, dict[Attribute, Value]]]:
        if not hasattr(self._open, "stack"):
            self._open.stack = []
        stack: list[tuple[Span, dict[Attribute, Value]]] = self._open.stack
        return stack

    def _context(self) -> Context:
        stack = self._stack()
        return set_span_in_context(stack[-1][0] if stack else self._root)

    def _started(
        self, name: SpanName, attributes: Attributes, parent: Context, start: int | None = None
    ) -> Span:
        values = exported(attributes)
        parts = [values.get(one.key) for one in _NAMED.get(name, ())]
        span = self._tracer.start_span(
            " ".join([*_PREFIX.get(name, ()), *map(str, filter(None, parts))]) or name.value,
            parent,
            SpanKind.CLIENT if name is SpanName.CALL else SpanKind.INTERNAL,
            values,
            start_time=start,
        )
        if Attribute.ERROR in attributes:
            span.set_status(StatusCode.ERROR)
        return span


_NAMED = {
    SpanName.COMMAND: (Attribute.COMMAND,),
    SpanName.CALL: (Attribute.METHOD, Attribute.TEMPLATE),
}
"""The attributes in the name of a span."""
_PREFIX = {SpanName.COMMAND: (SpanName.COMMAND.value,)}


def _note(span: Span, noted: dict[Attribute, Value], attribute: Attribute, value: Value) -> None:
    noted[attribute] = value
    span.set_attributes(exported({attribute: value}))
    if attribute is Attribute.ERROR:
        span.set_status(StatusCode.ERROR)
