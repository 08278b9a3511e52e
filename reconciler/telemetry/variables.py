"""What the standard variables of OpenTelemetry ask for. Loads none of its libraries."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

DISABLED = "OTEL_SDK_DISABLED"
ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
PROTOCOL = "OTEL_EXPORTER_OTLP_PROTOCOL"
OTLP, NOTHING = "otlp", "none"
HTTP_PROTOBUF = "http/protobuf"


class Signal(StrEnum):
    """What can be exported. The value is the part of its variables."""

    TRACES = "TRACES"
    METRICS = "METRICS"

    @property
    def exporter(self) -> str:
        return f"OTEL_{self}_EXPORTER"

    @property
    def endpoint(self) -> str:
        return f"OTEL_EXPORTER_OTLP_{self}_ENDPOINT"

    @property
    def protocol(self) -> str:
        return f"OTEL_EXPORTER_OTLP_{self}_PROTOCOL"


@dataclass(frozen=True, slots=True)
class Request:
    """The signals to export, and what can't be done of what the variables say."""

    signals: frozenset[Signal] = frozenset()
    problems: tuple[str, ...] = ()


def requested(environ: Mapping[str, str]) -> Request:
    """Return what is asked for. A signal is exported if its exporter or an endpoint is named.

    Problems name variables and never quote them: they may contain secrets.
    """
    if environ.get(DISABLED, "").strip().lower() == "true":
        return Request()
    problems = {one: _problem(one, environ) for one in Signal if _is_asked(one, environ)}
    return Request(
        frozenset(one for one, problem in problems.items() if not problem),
        tuple(dict.fromkeys(problem for problem in problems.values() if problem)),
    )


def _is_asked(signal: Signal, environ: Mapping[str, str]) -> bool:
    exporter = environ.get(signal.exporter, "").strip().lower()
    return exporter != NOTHING and any(
        environ.get(one) for one in (signal.exporter, signal.endpoint, ENDPOINT)
    )


def _problem(signal: Signal, environ: Mapping[str, str]) -> str:
    """Return why a signal can't be exported as asked; "" if it can."""
    if (environ.get(signal.exporter, "").strip().lower() or OTLP) != OTLP:
        return f"{signal.exporter} must be {OTLP} or {NOTHING}"
    variable = signal.protocol if environ.get(signal.protocol) else PROTOCOL
    if (environ.get(variable, "").strip().lower() or HTTP_PROTOBUF) != HTTP_PROTOBUF:
        return f"{variable} must be {HTTP_PROTOBUF}"
    return ""
