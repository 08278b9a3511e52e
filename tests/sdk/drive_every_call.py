"""Run by `test_the_official_sdk_drives_the_emulator.py`, once for each version of Criteo's SDK.

The SDK, with all its checks on, against the emulator on a socket; what it makes of the answers is
compared value by value. Needs exactly one version of the SDK on its path.
"""

import json
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import pytest
from sdk.sdk_calls import DRIVES, whole
from sdk.sdk_client import Answer, complete, pythonic
from sdk.setup import LONG, STRANGER, World, contact_list, scene

from reconciler.emulator.operations import OPERATIONS


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with scene(tmp_path) as world:
        yield world


def test_every_call_is_driven(world: World) -> None:
    """All that this SDK has for audiences, and all that the emulator offers."""
    assert world.sdk.audience_calls() <= DRIVES.keys()
    assert {pythonic(operation.id) for operation in OPERATIONS} == DRIVES.keys()


@pytest.mark.parametrize("operation", DRIVES)
def test_it_succeeds(world: World, operation: str) -> None:
    DRIVES[operation](world)
    last = world.emulator.history()[-1]
    assert (pythonic(last.operation), last.status) == (operation, 204 if "clear" in operation else 200)
    assert world.wire.path.startswith(f"/{world.sdk.version}/retail-media/")


def test_members_are_removed(world: World) -> None:
    """The other operation of add-remove; an identifier that is not in the list is valid, too."""
    segment = world.ids["Lapsed"]
    removed = whole(world.change("remove", segment, ["ann@example.com", "stranger@example.com"]))
    assert (removed.data.operation, removed.data.nb_valid_identifiers) == ("remove", 2)
    assert world.emulator.members(segment) == {"bob@example.com", "cy@example.com"}


# -- partial failure -------------------------------------------------------------------------------


def create_in_part(world: World) -> Answer:
    return world.create(contact_list("Fresh"), contact_list(" lapsed"), contact_list(" "))


def update_in_part(world: World) -> Answer:
    return world.update(
        (world.ids["Lapsed"], {"name": "Fresh"}), (world.ids["Loyal"], {"name": "viewers"}), (STRANGER, {})
    )


def delete_in_part(world: World) -> Answer:
    return world.delete(world.ids["Lapsed"], world.ids["Loyal"], STRANGER)


@dataclass(frozen=True)
class InPart:
    call: Callable[[World], Answer]
    done: int
    codes: list[str]
    switches: dict[str, Any] = field(default_factory=dict)

    ALL: ClassVar[list["InPart"]]


InPart.ALL = [
    InPart(create_in_part, 1, ["name-must-be-unique", "name-must-not-be-empty"]),
    InPart(update_in_part, 1, ["name-must-be-unique", "segment-not-found"]),
    InPart(
        delete_in_part,
        0,
        ["segment-in-use", "segment-in-use", "segment-not-found"],
        {"delete_in_use": "refused"},
    ),
]


@pytest.mark.parametrize("in_part", InPart.ALL, ids=lambda in_part: in_part.call.__name__)
@pytest.mark.parametrize("place", ["warnings", "errors"])
def test_it_succeeds_in_part(world: World, in_part: InPart, place: str) -> None:
    """Failed items are reported in one of two places, each as a typed problem."""
    world.switch(failures=place, **in_part.switches)
    answer = in_part.call(world)
    assert answer.status == 200
    complete(answer.body)
    reported = getattr(answer.body, place)
    assert [problem.code for problem in reported] == in_part.codes
    assert {problem.type for problem in reported} == {"validation"}
    assert all(problem.trace_id and problem.detail and problem.instance for problem in reported)
    assert getattr(answer.body, {"warnings": "errors", "errors": "warnings"}[place]) == []
    assert len(answer.body.data) == in_part.done


@pytest.mark.parametrize("in_part", InPart.ALL, ids=lambda in_part: in_part.call.__name__)
def test_it_is_refused_for_one_bad_item(world: World, in_part: InPart) -> None:
    """The third place for failed items: a 400 that does nothing."""
    world.switch(failures="http-400", **in_part.switches)
    before = world.emulator.segments()
    with pytest.raises(world.sdk.errors.ApiException) as caught:
        in_part.call(world)
    assert caught.value.status == 400
    assert [problem.code for problem in world.sdk.problems(caught.value)] == in_part.codes
    assert world.emulator.segments() == before


@pytest.mark.parametrize("trace_key", ["traceId", "traceIdentifier"])
def test_a_list_is_changed_in_part(world: World, trace_key: str) -> None:
    """Add-remove has entries of its own kind, in which the trace id has only one name."""
    world.switch(trace_key=trace_key)
    world.emulator.fault("partial", "AddRemoveContactListByAudienceSegment")
    answer = world.change("add", world.ids["Lapsed"], ["dee@example.com", "eve@example.com"])
    complete(answer.body)
    assert (answer.status, answer.body.warnings) == (200, [])
    (reported,) = answer.body.errors
    assert isinstance(reported, world.sdk.model("AudienceError"))
    assert (reported.type, reported.code) == ("availability", "internal-error")
    assert reported.trace_id
    assert (answer.body.data.nb_valid_identifiers, answer.body.data.nb_invalid_identifiers) == (1, 0)


def test_identifiers_of_another_type_may_count_as_invalid(world: World) -> None:
    world.switch(type_mismatch="invalid", invalid_samples=1)
    data = whole(world.change("add", world.ids["Loyal"], ["a", "b"], "UserIdentifier")).data
    assert (data.nb_valid_identifiers, data.nb_invalid_identifiers) == (0, 2)
    assert data.sample_invalid_identifiers == ["a"]


def test_statistics_may_be_null(world: World) -> None:
    """As long as nothing was computed."""
    reported = whole(world.statistics(world.ids["Lapsed"])).data.attributes
    assert (reported.number_of_matches, reported.match_rate) == (None, None)


def test_searches_may_find_nothing(world: World) -> None:
    for body in (
        whole(world.search(audience_segment_ids=[STRANGER])),
        whole(world.audiences(audience_ids=[STRANGER])),
    ):
        assert (body.data, body.meta.total_items) == ([], 0)


# -- refusals --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("operation", "kind", "status", "code"),
    [
        (operation, *refusal)
        for operation in DRIVES
        for refusal in (
            ("unauthorized", 401, "authorization-token-expired"),
            ("no scope", 403, "insufficient-scope"),
            ("busy", 429, ""),
            ("broken", 500, "internal-error"),
        )
        if (operation, refusal[0]) != ("get_current_application", "no scope")  # any token will do
    ],
)
def test_it_is_refused(world: World, operation: str, kind: str, status: int, code: str) -> None:
    """Each refusal has a type of its own in the SDK; its entries are problems like any other."""
    trouble[kind](world)
    if kind != "unauthorized":
        world.sdk = world.fresh()
    with pytest.raises(world.sdk.errors.ApiException) as caught:
        DRIVES[operation](world)
    error = caught.value
    assert error.status == status
    assert type(error).__name__ == TYPES[status]
    if status == 429:
        assert error.headers["content-type"] == "application/problem+json"
        assert int(error.headers["x-ratelimit-remaining"]) == 0
    else:
        (problem,) = world.sdk.problems(error)
        assert (problem.code, bool(problem.trace_id)) == (code, True)


TYPES = {
    401: "UnauthorizedException",
    403: "ForbiddenException",
    404: "NotFoundException",
    429: "ApiException",
    500: "ServiceException",
}
trouble: dict[str, Callable[[World], None]] = {
    "unauthorized": lambda world: world.emulator.advance(LONG),
    "no scope": lambda world: world.switch(scopes=()),
    "busy": lambda world: world.emulator.fault("429"),
    "broken": lambda world: world.emulator.fault("500-before"),
}


def test_what_is_not_there_is_refused(world: World) -> None:
    """404 for a segment, 403 for an account, 400 for a list that takes another type."""
    for call, status in (
        (lambda: world.statistics(STRANGER), 404),
        (lambda: world.change("add", STRANGER, ["ann@example.com"]), 404),
        (lambda: world.clear(STRANGER), 404),
        (lambda: world.sdk.call("search_audiences", "1", body={}), 403),
        (lambda: world.change("add", world.ids["Loyal"], ["ann@example.com"]), 400),
        (lambda: world.create(*[contact_list(f"No {number}") for number in range(51)]), 400),
    ):
        with pytest.raises(world.sdk.errors.ApiException) as caught:
            call()
        assert caught.value.status == status
        assert world.sdk.problems(caught.value)[0].code


# -- tokens ----------------------------------------------------------------------------------------


def test_the_sdk_gets_its_token(world: World) -> None:
    """By client credentials, at the place the SDK knows."""
    first = world.emulator.history()[0]
    assert (first.operation, first.path, first.status) == ("token", "/oauth2/token", 200)


def test_a_wrong_secret_is_refused(world: World) -> None:
    """In the shape of OAuth, which the SDK can read."""
    stranger = world.fresh(secret="wrong")
    with pytest.raises(stranger.errors.UnauthorizedException) as caught:
        stranger.call("get_current_application")
    reported = json.loads(caught.value.body)
    assert reported["error"] == "invalid_client"
    assert set(reported) == {"error", "error_description", "error_uri", "token_error"}


@pytest.mark.parametrize("name", ["access_token", "expires_in", "refresh_token"])
def test_a_token_without_a_field_is_seen(world: World, name: str) -> None:
    token = {"access_token": "t", "token_type": "Bearer", "expires_in": 900, "refresh_token": None}
    world.wire.token_played = json.dumps(token).encode()
    with pytest.raises(world.sdk.errors.UnauthorizedException):
        world.fresh().call("get_current_application")
    del token[name]
    world.wire.token_played = json.dumps(token).encode()
    with pytest.raises(KeyError, match=name):
        world.fresh().call("get_current_application")


# -- the checks can fail ---------------------------------------------------------------------------


def broken(body: Any) -> Iterator[tuple[str, Any]]:
    """The answer with one thing wrong at a time: a field less, a field more, a value of another type."""
    for path, value in _places(body):
        if path and isinstance(path[-1], str):
            yield f"without {path}", _changed(body, path, None, drop=True)
        if path:
            yield f"other type at {path}", _changed(body, path, 7 if not _number(value) else "seven")
        if isinstance(value, dict):
            yield f"more at {path}", _changed(body, (*path, "surprise"), 1)


def _number(value: Any) -> bool:
    return isinstance(value, (int, float))


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Every object, every field, and the first item of every list."""
    yield path, value
    inner = value.items() if isinstance(value, dict) else enumerate(value[:1] if _list(value) else ())
    for key, item in inner:
        yield from _places(item, (*path, key))


def _list(value: Any) -> bool:
    return isinstance(value, list)


def _changed(body: Any, path: tuple[Any, ...], value: Any, *, drop: bool = False) -> Any:
    copy = deepcopy(body)
    *above, last = path
    inner = copy
    for key in above:
        inner = inner[key]
    if drop:
        del inner[last]
    else:
        inner[last] = value
    return copy


@pytest.mark.parametrize("operation", sorted(DRIVES.keys() - {"clear_contact_list_by_audience_segment"}))
def test_any_wrong_shape_is_seen(world: World, operation: str) -> None:
    """Each call is answered wrongly in every way there is, one at a time: none may pass."""
    DRIVES[operation](world)
    right = json.loads(world.wire.last)
    world.wire.played = world.wire.last
    DRIVES[operation](world)  # played as it was, it passes
    passed, tried = [], 0
    for what, wrong in broken(right):
        world.wire.played = json.dumps(wrong).encode()
        tried += 1
        try:
            DRIVES[operation](world)
        except (AssertionError, world.sdk.errors.OpenApiException, TypeError, ValueError):
            continue
        passed.append(what)
    assert passed == []
    assert tried > 10


def test_an_unknown_value_is_seen(world: World) -> None:
    """The SDK knows which words an answer may use, and which a request may."""
    world.search()
    world.wire.played = world.wire.last.replace(b'"Offsite"', b'"Nowhere"')
    with pytest.raises(world.sdk.errors.ApiValueError, match="Nowhere"):
        world.search()
    with pytest.raises(world.sdk.errors.ApiValueError, match="identifier_type"):
        world.create(contact_list("Gums", "Gum"))
    with pytest.raises(world.sdk.errors.ApiTypeError):
        world.change("add", world.ids["Lapsed"], [1])  # type: ignore[list-item] # that is what it refuses
    with pytest.raises(world.sdk.errors.ApiValueError, match="limit"):
        world.search(limit=501)
    with pytest.raises(TypeError, match="retailer_id"):
        world.create({"name": "Nobody's"})
