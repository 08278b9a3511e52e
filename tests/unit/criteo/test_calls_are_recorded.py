"""Each request to Criteo is a span, without its path, query, body or the text of an answer."""

import httpx
import pytest
from support.fakes.clock import FakeClock
from support.fakes.scripted_criteo import SECRET, TOKEN, Script, acknowledged, answer, connected, problem
from support.recorded_telemetry import Recorded, recorded

from reconciler.core.errors import ReconcilerError
from reconciler.core.members import Identifiers
from reconciler.core.model import IdentifierType

CHANGE = "POST /audience-segments/{segment}/contact-list/add-remove"
PERSON = "jane@example.com"


def change_members(script: Script) -> Recorded:
    made = recorded()
    with connected(script, FakeClock(), made.telemetry) as connection:
        try:
            connection.writer().change_members(
                "77100200", IdentifierType.EMAIL, "add", Identifiers([PERSON]), lambda: None
            )
        except ReconcilerError:
            return made
    return made


def statuses(made: Recorded) -> list[object]:
    calls = [one.attributes or {} for one in made.spans if one.name == CHANGE]
    return [one.get("http.response.status_code") or one["error.type"] for one in calls]


def test_each_attempt_is_a_span_of_its_own() -> None:
    steps = [httpx.ReadTimeout("late"), answer(503, {}), answer(429, {}), acknowledged(1)]
    made = change_members(Script([*steps]))
    assert statuses(made) == ["ReadTimeout", 503, 429, 200]
    assert made.named("POST /oauth2/token").attributes
    assert {(one.attributes or {}).get("server.port") for one in made.spans if one.name == CHANGE} == {443}


def test_a_token_that_does_not_come_is_recorded_as_such() -> None:
    made = change_members(Script([acknowledged(1)], [httpx.ConnectError("no way")]))
    attributes = [one.attributes or {} for one in made.spans if one.name == "POST /oauth2/token"]
    assert {one["error.type"] for one in attributes} == {"ConnectError"}
    assert statuses(made) == []


def test_a_wait_for_the_rate_limit_is_a_span() -> None:
    limited = acknowledged(1)
    limited.headers.update({"x-ratelimit-limit": "1", "x-ratelimit-remaining": "0"})
    made = recorded()
    with connected(Script([limited]), FakeClock(), made.telemetry) as connection:
        for _ in range(2):
            connection.writer().change_members(
                "7", IdentifierType.EMAIL, "add", Identifiers(["a"]), lambda: None
            )
    waited = made.named("criteo.rate_limit")
    assert (waited.end_time or 0) - (waited.start_time or 0) >= 59 * 10**9


@pytest.mark.promise("private")
def test_a_refusal_leaves_its_trace_id_and_nothing_else() -> None:
    made = change_members(Script([problem(400, "invalid", title=PERSON)]))
    [call] = [one for one in made.spans if one.name == CHANGE]
    assert (call.attributes or {})["criteo.trace_id"] == "trace-7"
    assert (call.attributes or {})["error.type"] == "400"
    exported = "".join(one.to_json() for one in made.spans)
    for hidden in (PERSON, "77100200", SECRET, TOKEN, "jane"):
        assert hidden not in exported


@pytest.mark.promise("private")
def test_requests_have_no_header_of_a_trace() -> None:
    script = Script([acknowledged(1)])
    change_members(script)
    sent = {name.lower() for call in (*script.calls, *script.token_calls) for name in call.headers}
    assert not sent & {"traceparent", "tracestate", "baggage", "x-request-id"}
