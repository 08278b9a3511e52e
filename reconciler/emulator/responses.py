"""What a handler gives back: an answer, a refusal, or silence; never an object of a web framework."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field

from reconciler.emulator.switches import Switches


class NoAnswer(Exception):  # noqa: N818 - not an error of the emulator: it keeps silent on purpose
    """The call is never answered; a transport or a server turns this into a time-out."""

    def __init__(self, hold: float) -> None:
        super().__init__("no answer")
        self.hold = hold


@dataclass(frozen=True)
class Problem:
    """One entry of `errors` or `warnings`."""

    type: str
    code: str
    title: str
    detail: str = ""

    def shape(self, instance: str, switches: Switches) -> dict[str, object]:
        return {
            switches.trace_key: secrets.token_hex(16),
            "type": self.type,
            "code": self.code,
            "instance": instance,
            "title": self.title,
            "detail": self.detail or self.title,
            "source": None,
        }


class Refused(Exception):  # noqa: N818 - a documented answer, not a failure of the emulator
    """The whole call is refused with one status; whatever it had done is undone."""

    def __init__(self, status: int, *problems: Problem) -> None:
        super().__init__(status)
        self.status = status
        self.problems = problems


@dataclass(frozen=True)
class Answer:
    """A status and a JSON body, with what the history keeps of it."""

    status: int
    body: Mapping[str, object] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    valid: int = 0
    invalid: int = 0


def invalid(code: str, title: str, detail: str = "") -> Problem:
    return Problem("validation", code, title, detail)


def malformed(detail: str) -> Refused:
    """The body or the query does not have the documented shape."""
    return Refused(400, invalid("malformed-request", "The request is malformed", detail))
