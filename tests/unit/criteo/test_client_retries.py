"""Which requests are repeated, which never are, and the final error; counted call by call."""

from collections.abc import Callable
from dataclasses import dataclass

import httpx
import pytest
from support.fakes.clock import FakeClock
from support.fakes.criteo import at_once
from support.fakes.scripted_criteo import Script, Step, acknowledged, answer, connected, problem

from reconciler.core.errors import (
    AuthenticationError,
    CallTooLargeError,
    DeniedError,
    OutcomeUnknownError,
    ReconcilerError,
    RejectedError,
    RemoteError,
)
from reconciler.core.members import Identifiers
from reconciler.core.model import IdentifierType
from reconciler.core.remote import Acknowledgement, ItemFailure, NewSegment, Segment, SegmentPatch
from reconciler.criteo.connection import Connection
from reconciler.criteo.retries import ATTEMPTS, REFUSALS_IN_ROW

pytestmark = pytest.mark.promise("client")

ACCOUNT = "1001"
LISTED = answer(200, {"meta": {"totalItems": 0}, "data": []})
SEGMENT = {
    "id": "9",
    "attributes": {"name": "Lapsed", "retailerId": "7", "contactList": {"identifierType": "Email"}},
}
BULK = answer(200, {"data": [SEGMENT]})
HTML = httpx.Response(200, content=b"<html>login</html>", headers={"content-type": "text/html"})
CUT = httpx.Response(200, content=b'{"data": {"nbValidIdentifiers": 2, "nbInv')
TIMEOUT = httpx.ReadTimeout("jane@example.com")
NO_CONNECTION = httpx.ConnectError("jane@example.com")


def search(connection: Connection) -> object:
    return connection.reader.segments(ACCOUNT)


def statistics(connection: Connection) -> object:
    return connection.reader.statistics(ACCOUNT, "9")


def create(connection: Connection) -> object:
    return connection.writer().create(ACCOUNT, [NewSegment("Lapsed", "", "7", IdentifierType.EMAIL)], at_once)


def update(connection: Connection) -> object:
    return connection.writer().update(ACCOUNT, [SegmentPatch("9", "Lapsed")], at_once)


def add(connection: Connection) -> Acknowledgement:
    sent = Identifiers(["jane@example.com", "joe@example.com"])
    return connection.writer().change_members("9", IdentifierType.EMAIL, "add", sent, at_once)


@dataclass
class Run:
    """What a call came to."""

    calls: int
    tokens: int
    waited: list[float]
    value: object = None
    error: ReconcilerError | None = None


def run(act: Callable[[Connection], object], *steps: Step, tokens: tuple[Step, ...] = ()) -> Run:
    script, clock = Script(list(steps), list(tokens)), FakeClock()
    value, error = None, None
    with connected(script, clock) as connection:
        try:
            value = act(connection)
        except ReconcilerError as caught:
            error = caught
    if error:
        assert "example.com" not in f"{error} {error.remedy}"
    waited = [seconds for seconds, _ in clock.waits]
    return Run(len(script.calls), len(script.token_calls), waited, value, error)


READS = {"search": (search, LISTED), "statistics": (statistics, answer(200, {"data": None}))}
WRITES = {"update": (update, BULK), "add": (add, acknowledged(2))}
LOST = {
    "time-out": TIMEOUT,
    "read error": httpx.ReadError(""),
    "write error": httpx.WriteError(""),
    "hung up": httpx.RemoteProtocolError(""),
    "500": problem(500, "internal-error"),
    "502 HTML": httpx.Response(502, content=b"<html>"),
    "503": answer(503),
    "HTML": HTML,
    "cut": CUT,
    "empty": httpx.Response(200),
}


@pytest.mark.parametrize("lost", LOST.values(), ids=LOST.keys())
@pytest.mark.parametrize("kind", [*READS, *WRITES])
def test_what_is_safe_to_repeat_is_repeated(kind: str, lost: Step) -> None:
    act, good = (READS | WRITES)[kind]
    done = run(act, lost, lost, good)
    assert done.error is None
    assert done.calls == 3
    assert done.waited == [2.0, 4.0]
    assert done.tokens == 1
    if kind in WRITES:
        assert done.value.earlier_unconfirmed  # type: ignore[attr-defined]


@pytest.mark.parametrize("lost", LOST.values(), ids=LOST.keys())
@pytest.mark.parametrize("kind", [*READS, *WRITES])
def test_at_the_end_a_write_is_unknown_and_a_read_has_failed(kind: str, lost: Step) -> None:
    act, _ = (READS | WRITES)[kind]
    done = run(act, lost)
    assert done.calls == ATTEMPTS
    assert type(done.error) is (OutcomeUnknownError if kind in WRITES else RemoteError)
    assert "tried 5 times" in str(done.error)


@pytest.mark.parametrize("lost", LOST.values(), ids=LOST.keys())
def test_a_create_that_may_have_happened_is_never_repeated(lost: Step) -> None:
    done = run(create, lost, BULK)
    assert done.calls == 1
    assert isinstance(done.error, OutcomeUnknownError)
    assert done.waited == []


@pytest.mark.parametrize("unsent", [NO_CONNECTION, httpx.ConnectTimeout(""), httpx.PoolTimeout("")])
@pytest.mark.parametrize("act", [create, update, add])
def test_without_a_connection_nothing_happened(act: Callable[[Connection], object], unsent: Step) -> None:
    """So a create may be sent then, and nothing is uncertain; at the end it is a definite no."""
    good = acknowledged(2) if act is add else BULK
    done = run(act, unsent, good)
    assert done.calls == 2
    assert not done.value.earlier_unconfirmed  # type: ignore[attr-defined]
    failed = run(act, unsent)
    assert failed.calls == ATTEMPTS
    assert isinstance(failed.error, RejectedError)
    assert "can't be reached" in str(failed.error)


def test_a_429_is_retried_without_an_unknown_outcome() -> None:
    """It was not executed, and does not count as a failed attempt, however often it comes."""
    busy = answer(429)
    for act, good in ((create, BULK), (add, acknowledged(2))):
        done = run(act, *[busy] * (ATTEMPTS + 1), good)
        assert done.calls == ATTEMPTS + 2
        assert not done.value.earlier_unconfirmed  # type: ignore[attr-defined]
        assert sum(done.waited) > 60


def test_429_for_ever_is_a_definite_no() -> None:
    done = run(add, answer(429))
    assert done.calls == REFUSALS_IN_ROW
    assert isinstance(done.error, RejectedError)
    assert done.error.code == "too-many-requests"


def test_an_uncertain_call_is_not_made_certain_by_a_later_no() -> None:
    """The first attempt may have happened, and may still happen, whatever is said afterwards."""
    for no in (problem(404, "segment-not-found"), problem(403, ""), answer(429), NO_CONNECTION):
        done = run(add, TIMEOUT, no)
        assert isinstance(done.error, OutcomeUnknownError)
    certain = run(add, problem(404, "segment-not-found"))
    assert isinstance(certain.error, RejectedError)


STATUSES = [
    (400, RejectedError, ""),
    (403, DeniedError, "doctor"),
    (404, RejectedError, "accountId"),
    (405, RejectedError, "api.version"),
    (409, RejectedError, ""),
    (410, RejectedError, "api.version"),
    (413, CallTooLargeError, "limits the size"),
    (415, RejectedError, "proxy"),
    (418, RejectedError, ""),
    (302, RejectedError, "api.endpoint"),
]


@pytest.mark.parametrize(("status", "error", "remedy"), STATUSES)
@pytest.mark.parametrize("act", [search, statistics, add])
def test_a_refusal_is_reported_once_with_code_trace_and_remedy(
    act: Callable[[Connection], object], status: int, error: type[ReconcilerError], remedy: str
) -> None:
    done = run(act, problem(status, "some-code", title="For jane@example.com" if act is add else "Wrong"))
    assert done.calls == 1
    assert type(done.error) is error
    assert f"Criteo answers {status} some-code" in str(done.error)
    assert "trace id trace-7" in str(done.error)
    assert remedy in done.error.remedy
    if isinstance(done.error, RejectedError):
        assert done.error.code == "some-code"


def test_a_refused_segment_is_not_a_refused_connection() -> None:
    done = run(add, problem(403, "segment-is-read-only", kind="access-control"))
    assert isinstance(done.error, RejectedError)


def test_a_refusal_in_html_points_to_a_proxy() -> None:
    done = run(search, httpx.Response(409, content=b"<html>blocked for jane@example.com</html>"))
    assert isinstance(done.error, RejectedError)
    assert "not JSON" in done.error.remedy


@pytest.mark.parametrize("code", ["authorization-token-expired", "authorization-token-invalid"])
@pytest.mark.parametrize("act", [search, create, add])
def test_a_dead_token_is_renewed_once(act: Callable[[Connection], object], code: str) -> None:
    good = {search: LISTED, create: BULK, add: acknowledged(2)}[act]
    done = run(act, problem(401, code), good)
    assert done.error is None
    assert (done.calls, done.tokens) == (2, 2)
    assert not getattr(done.value, "uncertain", False)
    dead = run(act, problem(401, code))
    assert (dead.calls, dead.tokens) == (2, 2)
    assert isinstance(dead.error, AuthenticationError)


def test_another_401_is_final() -> None:
    done = run(search, problem(401, "authorization-issuer-invalid"))
    assert (done.calls, done.tokens) == (1, 1)
    assert isinstance(done.error, AuthenticationError)


def test_answers_that_do_not_add_up_are_sent_again_and_then_unknown() -> None:
    done = run(add, acknowledged(1), acknowledged(2))
    assert done.value == Acknowledgement(2, 0, earlier_unconfirmed=False)
    assert isinstance(run(add, acknowledged(1)).error, OutcomeUnknownError)


def test_trouble_beside_data_may_still_land() -> None:
    trouble = acknowledged(2, errors=[{"type": "availability", "code": "internal-error"}])
    done = run(add, trouble, acknowledged(2))
    assert done.value == Acknowledgement(2, 0, earlier_unconfirmed=True)
    assert run(update, answer(200, {"data": [], "errors": [{"type": "availability"}]}), BULK).calls == 2


def test_a_400_of_many_is_asked_one_by_one() -> None:
    """Nothing was done, so each may be sent apart; then each has its own reason."""
    new = [NewSegment(name, "", "7", IdentifierType.EMAIL) for name in ("Taken", "Lapsed")]
    taken = problem(400, "name-must-be-unique", title="Segment name must be unique")
    done = run(lambda connection: connection.writer().create(ACCOUNT, new, at_once), taken, taken, BULK)
    assert done.calls == 3
    failure, segment = done.value.items  # type: ignore[attr-defined]
    assert failure == ItemFailure("Segment name must be unique", "name-must-be-unique")
    assert isinstance(segment, Segment)


def test_a_400_without_a_reason_is_about_the_whole_call() -> None:
    done = run(create, answer(400))
    assert done.calls == 1
    assert isinstance(done.error, RejectedError)


def page(*ids: str, total: int | None) -> httpx.Response:
    data = [{"id": each, "attributes": {"name": each}} for each in ids]
    return answer(200, {"meta": {"totalItems": total}, "data": data})


def test_a_search_reads_all_pages() -> None:
    done = run(search, page("1", "2", total=3), page("3", total=3))
    assert done.calls == 2
    assert [segment.id for segment in done.value] == ["1", "2", "3"]  # type: ignore[attr-defined]


def test_a_segment_on_two_pages_is_one() -> None:
    done = run(search, page("1", "2", total=3), page("2", total=3))
    assert [segment.id for segment in done.value] == ["1", "2"]  # type: ignore[attr-defined]


def test_without_a_total_a_short_page_is_the_last() -> None:
    assert run(search, page("1", total=None)).calls == 1


@pytest.mark.parametrize("total", [0, 1, -1])
def test_a_page_larger_than_announced_is_refused(total: int) -> None:
    """Otherwise, the segments of the next page would seem missing."""
    done = run(search, *[page("1", "2", total=total)] * 10)
    assert isinstance(done.error, RemoteError)
    assert f"the answer announces {total} segments and holds 2" in str(done.error)


def test_a_later_page_larger_than_announced_is_refused() -> None:
    done = run(search, page("1", "2", total=3), *[page("3", "4", total=3)] * 10)
    assert isinstance(done.error, RemoteError)
    assert "the answer announces 3 segments and holds 4" in str(done.error)


def test_a_list_that_ends_too_early_is_an_error() -> None:
    """If it were accepted, segments would seem missing."""
    done = run(search, page("1", total=3), page(total=3))
    assert isinstance(done.error, RemoteError)
    assert "3 were announced, and 1 came" in str(done.error)
