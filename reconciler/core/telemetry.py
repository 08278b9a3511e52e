"""What spans and metrics may contain: their names, their attributes, and the types of values.

Values are numbers, enums, addresses, and names that manifests, commands or Criteo's trace IDs have. There is
no type for other text, so that no identifier, secret, path, query or message can be exported by mistake.
"""

import re
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum, StrEnum
from typing import TYPE_CHECKING, Protocol

from reconciler.core.model import Address

if TYPE_CHECKING:  # `--help` needs no events
    from reconciler.core.events import Event


class SpanName(StrEnum):
    """All spans. The root span and the span of a call add an attribute to their name."""

    COMMAND = "reconciler"
    CALL = "criteo.call"
    RATE_LIMIT = "criteo.rate_limit"
    STATE_LOCK = "state.lock"
    STATE_READ = "state.read"
    STATE_WRITE = "state.write"
    SOURCES = "sources.read"
    MEMBERS = "members.compare"
    CHANGE = "change.apply"


class Server(StrEnum):
    """The host that takes calls. The name of any other host is not exported."""

    CRITEO = "api.criteo.com"
    LOCAL = "localhost"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class CommandName:
    """The name of a command, without its arguments."""

    text: str


@dataclass(frozen=True, slots=True)
class EnvironmentName:
    """The name of an environment, from its manifest."""

    text: str


@dataclass(frozen=True, slots=True)
class ErrorName:
    """The name of an exception's class, or the status of a response. Never a message."""

    text: str

    @classmethod
    def of(cls, error: BaseException) -> "ErrorName":
        return cls(type(error).__name__)


@dataclass(frozen=True, slots=True)
class TraceId:
    """The trace ID of Criteo's response, which Criteo's support asks for."""

    text: str


Name = CommandName | EnvironmentName | ErrorName | TraceId
Value = int | StrEnum | Address | Name
Exported = str | int

_PATTERNS: Mapping[type, re.Pattern[str]] = {
    Address: re.compile(r"[a-z0-9][a-z0-9-]{0,62}/[a-z0-9][a-z0-9-]{0,62}"),
    CommandName: re.compile(r"[a-z]{1,12}( [a-z]{1,12}){0,2}"),
    EnvironmentName: re.compile(r"[a-z0-9][a-z0-9-]{0,62}"),
    ErrorName: re.compile(r"[A-Za-z0-9_]{1,60}"),
    TraceId: re.compile(r"[A-Za-z0-9.:<>|_-]{1,100}"),
}


class Attribute(Enum):
    """All attributes: the key, and the type of the value. Metrics have only those that are `measured`."""

    COMMAND = ("reconciler.command", CommandName, True)
    ENVIRONMENT = ("deployment.environment.name", EnvironmentName, True)
    EXIT_CODE = ("process.exit.code", int, True)
    ERROR = ("error.type", ErrorName, True)
    METHOD = ("http.request.method", StrEnum, True)
    TEMPLATE = ("url.template", StrEnum, True)
    STATUS = ("http.response.status_code", int, True)
    SERVER = ("server.address", Server, True)
    PORT = ("server.port", int, True)
    TRACE_ID = ("criteo.trace_id", TraceId, False)
    ADDRESS = ("reconciler.address", Address, False)
    OUTCOME = ("reconciler.outcome", StrEnum, True)
    CHANGE = ("reconciler.change", StrEnum, True)
    OPERATION = ("reconciler.operation", StrEnum, True)

    def __init__(self, key: str, kind: type, measured: bool) -> None:
        self.key = key
        self.kind = kind
        self.measured = measured


Attributes = Mapping[Attribute, Value]
NONE: Attributes = {}


def exported(attributes: Attributes) -> dict[str, Exported]:
    """Return what leaves for attributes. Only this function decides it.

    A value of another type than the attribute's, or a name of another form, is left out.
    """
    values = ((attribute, _exported(attribute.kind, value)) for attribute, value in attributes.items())
    return {attribute.key: value for attribute, value in values if value is not None}


def _exported(kind: type, value: Value) -> Exported | None:
    if not isinstance(value, kind):
        return None
    if isinstance(value, int):
        return int(value)
    if isinstance(value, StrEnum):
        return value.value
    text = str(value) if isinstance(value, Address) else value.text
    return text if _PATTERNS[type(value)].fullmatch(text) else None


class Telemetry(Protocol):
    """Receives the spans and events of a command. Threads share it; the spans of a thread are nested.

    It never raises, and never waits except in `end`.
    """

    def emit(self, event: "Event") -> None:
        """Measure what an event states, as an `EventSink`."""
        ...

    def span(self, name: SpanName, attributes: Attributes = NONE) -> AbstractContextManager[None]:
        """Return a context that is a span. An exception that leaves it is exported as its class."""
        ...

    def record(self, name: SpanName, took: timedelta, attributes: Attributes = NONE) -> None:
        """Record a span that ends now."""
        ...

    def note(self, attribute: Attribute, value: Value) -> None:
        """Add an attribute to the innermost span of this thread."""
        ...

    def end(self, exit_code: int) -> None:
        """End the span of the command, and export what is left within a time limit."""
        ...


class _Silence:
    """Telemetry that nobody asked for."""

    def emit(self, event: "Event") -> None:
        """Drop the event."""

    def span(
        self,
        name: SpanName,  # noqa: ARG002 - the protocol's signature
        attributes: Attributes = NONE,  # noqa: ARG002 - the same
    ) -> AbstractContextManager[None]:
        return nullcontext()

    def record(self, name: SpanName, took: timedelta, attributes: Attributes = NONE) -> None:
        """Record nothing."""

    def note(self, attribute: Attribute, value: Value) -> None:
        """Note nothing."""

    def end(self, exit_code: int) -> None:
        """Export nothing."""


SILENT: Telemetry = _Silence()
