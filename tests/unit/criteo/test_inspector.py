"""The requests that test a connection, and the results."""

from datetime import timedelta
from email.utils import format_datetime
from urllib.parse import parse_qsl

import orjson
import pytest
from support.fakes.clock import FakeClock
from support.fakes.scripted_criteo import Script, answer, connected, problem

from reconciler.core.errors import AuthenticationError, DeniedError, RejectedError, RemoteError
from reconciler.core.remote import CallerIdentity, RateLimit

ME = answer(200, {"data": {"attributes": {"name": "Acme\x1b[31m", "criteoService": None}}})


def page(*ids: str, pages: object = 1) -> object:
    return answer(200, {"data": [{"id": one} for one in ids], "metadata": {"totalPages": pages}})


def test_an_application_is_reported_by_what_it_is_called() -> None:
    with connected(script := Script([ME]), FakeClock()) as connection:
        assert not connection.inspector.authorized
        assert connection.inspector.application() == CallerIdentity("Acme[31m", "")
        assert connection.inspector.authorized
    assert script.calls[0].url.path == "/2026-07/retail-media/me"


def test_without_a_token_nothing_has_left() -> None:
    script = Script([ME], [answer(401, {"error": "invalid_client"})])
    with connected(script, FakeClock()) as connection:
        with pytest.raises(AuthenticationError):
            connection.inspector.application()
        assert not connection.inspector.authorized


def test_another_answer_is_no_application_and_no_list() -> None:
    with connected(Script([answer(200, {"hello": "world"})]), FakeClock()) as connection:
        for call in (
            connection.inspector.application,
            lambda: connection.inspector.probe("1"),
            lambda: connection.inspector.accounts(["1"]),
            lambda: connection.inspector.retailers("1", ["7"]),
        ):
            with pytest.raises(RemoteError, match="the answer is no"):
                call()


def test_a_probe_asks_for_one_segment_only() -> None:
    script = Script([answer(200, {"data": [], "meta": {"totalItems": 0}})])
    with connected(script, FakeClock()) as connection:
        connection.inspector.probe("1001")
    assert script.calls[0].url.path.endswith("/accounts/1001/audience-segments/search")
    assert parse_qsl(script.calls[0].url.query.decode()) == [("limit", "1")]


@pytest.mark.parametrize(
    ("code", "lacking"),
    [
        ("insufficient-account-permissions", "consent"),
        ("insufficient-advertisers-permissions", "consent"),
        ("insufficient-scope", "permission"),
        ("forbidden", ""),
        ("", ""),
    ],
)
def test_a_403_tells_what_lacks_as_far_as_its_code_is_known(code: str, lacking: str) -> None:
    with connected(Script([problem(403, code, kind="authorization")]), FakeClock()) as connection:
        with pytest.raises(DeniedError) as caught:
            connection.inspector.probe("1")
        assert caught.value.lacking == lacking


def test_other_refusals_stay_what_they_are() -> None:
    with connected(Script([problem(404, "gone")]), FakeClock()) as connection, pytest.raises(RejectedError):
        connection.inspector.retailers("1", ["7"])


def test_accounts_are_filtered_and_read_to_the_last_page() -> None:
    script = Script([page("1", "9", pages=2), page("2", pages=2)])
    with connected(script, FakeClock()) as connection:
        assert connection.inspector.accounts(["1", "2", "3"]) == {"1", "2"}
    asked = [parse_qsl(call.url.query.decode()) for call in script.calls]
    wanted = [("limitToId", one) for one in "123"]
    assert asked == [[("pageIndex", str(index)), ("pageSize", "25"), *wanted] for index in (0, 1)]


def test_all_accounts_where_none_is_named() -> None:
    with connected(Script([page("1", "9", pages=2), page("2", pages=2)]), FakeClock()) as connection:
        assert connection.inspector.accounts(()) == {"1", "2", "9"}


@pytest.mark.parametrize("pages", [None, "many", 10**9])
def test_accounts_end_with_a_page_without_new_ones(pages: object) -> None:
    script = Script([page("1", pages=pages)])
    with connected(script, FakeClock()) as connection:
        assert connection.inspector.accounts(["2"]) == set()
    assert len(script.calls) <= 2


def test_retailers_are_asked_for_by_ten() -> None:
    ids = [str(number) for number in range(12)]
    script = Script([page(*ids[:10]), page("11", "99")])
    with connected(script, FakeClock()) as connection:
        assert connection.inspector.retailers("1001", ids) == {*ids[:10], "11"}
    asked = [orjson.loads(call.content)["data"]["attributes"]["retailerIdFilter"] for call in script.calls]
    assert asked == [ids[:10], ids[10:]]
    assert parse_qsl(script.calls[0].url.query.decode()) == [("limit", "10"), ("offset", "0")]


def test_the_clock_and_the_limit_are_those_of_the_newest_answer() -> None:
    clock = FakeClock()
    reported = format_datetime(clock.now() + timedelta(minutes=5))
    rate = {"x-ratelimit-limit": "250", "x-ratelimit-remaining": "7", "x-ratelimit-reset": "0"}
    known = answer(200, {"data": {}}, date=reported, **rate)
    with connected(Script([answer(200, {"data": {}}), known, ME]), clock) as connection:
        connection.inspector.application()
        assert connection.inspector.skew() is None
        for _ in range(2):
            connection.inspector.application()
            assert connection.inspector.skew() == timedelta(minutes=5)
            assert connection.inspector.rate_limit() == RateLimit(250, 7)
