"""Members are a set of exact strings of one type; invalid identifiers are counted and never stored."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.emulator import World, mounted, sha256

pytestmark = pytest.mark.promise("emulator-is-criteo")

PLAIN = "john.doe@gmail.com"
MD5 = "e13743a7f1db7f4246badd6fd6ff54ff"
SHA256 = "375320dd9ae7ed408002f3768e16cb5f28c861062fd50dff9a3bff62e9dce4ef"
SHA256_OF_MD5 = "000e3171a5110c35c69d060112bd0ba55d9631c7c2ec93f1840e4570095b263a"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with mounted(tmp_path) as world:
        yield world


def size(world: World) -> int:
    return world.emulator.segments()[0].size


def test_adding_twice_and_removing_the_absent_change_nothing(world: World) -> None:
    """The counts of the answer are of valid identifiers, not of changes."""
    segment = world.client.segment()
    for _ in range(2):
        answer = world.client.add(segment, ["a@example.com", "b@example.com", "a@example.com"])
        assert answer.json()["data"]["nbValidIdentifiers"] == 3
    assert world.emulator.members(segment) == {"a@example.com", "b@example.com"}
    assert size(world) == 2
    world.client.remove(segment, ["b@example.com", "c@example.com", "b@example.com"])
    assert world.emulator.members(segment) == {"a@example.com"}
    assert size(world) == 1
    world.client.remove(segment, [])
    assert size(world) == 1


def test_identifiers_of_any_length_are_held(world: World) -> None:
    """A body of some lengths looks like SQLite's own form of JSON."""
    segment = world.client.segment(kind="CustomerId")
    for length in range(1, 17):
        assert world.client.add(segment, ["c" * length]).status_code == 200
    assert world.emulator.members(segment) == {"c" * length for length in range(1, 17)}


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["add", "remove", "clear"]),
            st.lists(st.sampled_from([f"{letter}@example.com" for letter in "abcdef"])),
        ),
        max_size=8,
    )
)
def test_any_sequence_leaves_the_set_that_sets_would(
    world: World, calls: list[tuple[str, list[str]]]
) -> None:
    """The running size is the size of the set."""
    world.emulator.reset()
    world.client.authorize()
    world.switch(rate_limit=10_000)
    segment, held = world.client.segment(), set[str]()
    for operation, identifiers in calls:
        if operation == "clear":
            world.client.clear(segment)
            held.clear()
        else:
            world.client.change(operation, segment, identifiers)
            held = held | set(identifiers) if operation == "add" else held - set(identifiers)
    assert world.emulator.members(segment) == held
    assert size(world) == len(held)


def test_another_identifier_type_is_refused(world: World) -> None:
    """400 and no change; or, by a switch, all are invalid."""
    segment = world.client.segment(kind="CustomerId")
    answer = world.client.add(segment, [PLAIN], kind="Email")
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["code"] == "identifier-type-mismatch"
    assert world.client.add(segment, ["x"], kind="Gum").status_code == 400
    world.switch(type_mismatch="invalid")
    data = world.client.add(segment, [PLAIN], kind="Email").json()["data"]
    assert (data["nbValidIdentifiers"], data["nbInvalidIdentifiers"]) == (0, 1)
    assert world.emulator.members(segment) == frozenset()
    assert world.client.add(segment, [PLAIN], kind="CustomerId").status_code == 200


@pytest.mark.parametrize(
    ("kind", "valid", "wrong"),
    [
        (
            "Email",
            [PLAIN, MD5, SHA256, "Jo.O'Neil+x@mail.example.co"],
            ["jkl@gmail", SHA256.upper(), "x" * 64, "a b@example.com", "@example.com", "", "a@b@c.de"],
        ),
        ("PhoneNumber", ["+33612345678", "33612345678", SHA256], ["+0612345678", "12", "", MD5]),
        ("CustomerId", ["C-1", "é", "x" * 256], ["", " ", " x", "a\nb", "x" * 257, "\u200b"]),
        ("UserIdentifier", ["38400000-8cf0-11bd-b23e-10b96e40000d"], ["\t"]),
        ("IdentityLink", ["XY1000bIBBVkRmVJ"], [""]),
    ],
)
def test_invalid_identifiers_are_counted_and_dropped(
    world: World, kind: str, valid: list[str], wrong: list[str]
) -> None:
    """The rules of each type."""
    segment = world.client.segment(kind=kind)
    data = world.client.add(segment, [*wrong, *valid], kind=kind).json()["data"]
    assert data["sampleInvalidIdentifiers"] == wrong
    assert data["nbInvalidIdentifiers"] == len(wrong)
    assert data["nbValidIdentifiers"] == len(valid)
    assert world.emulator.members(segment) == set(valid)


def test_only_a_sample_of_the_invalid_is_echoed(world: World) -> None:
    """The first ten."""
    wrong = [f"nobody {number}" for number in range(15)]
    data = world.client.add(world.client.segment(), wrong).json()["data"]
    assert data["sampleInvalidIdentifiers"] == wrong[:10]
    assert data["nbInvalidIdentifiers"] == 15


def test_a_call_holds_at_most_so_many_identifiers(world: World) -> None:
    """One more refuses the call."""
    world.switch(max_identifiers=3)
    segment = world.client.segment()
    people = [f"{letter}@example.com" for letter in "abcd"]
    assert world.client.add(segment, people).json()["errors"][0]["code"] == "too-many-identifiers"
    assert world.client.add(segment, people[1:]).status_code == 200
    assert size(world) == 3


def test_each_form_is_a_member_of_its_own(world: World) -> None:
    """The witness tells the very strings it was sent."""
    segment = world.client.segment()
    world.client.add(segment, [PLAIN, MD5, SHA256, SHA256_OF_MD5])
    world.client.remove(segment, [PLAIN])
    assert world.emulator.members(segment) == {MD5, SHA256, SHA256_OF_MD5}


@pytest.mark.parametrize("order", [(PLAIN, MD5, SHA256), (SHA256, MD5, SHA256_OF_MD5, PLAIN)])
def test_forms_may_be_one_member(world: World, order: tuple[str, ...]) -> None:
    """Re-keying a list in place, the new form first, then loses everybody."""
    world.switch(forms_equivalent=True)
    segment = world.client.segment()
    for form in order:
        world.client.add(segment, [form])
    assert world.emulator.members(segment) == {SHA256}
    assert size(world) == 1
    world.client.remove(segment, [MD5])
    assert world.emulator.members(segment) == frozenset()


def test_lists_are_apart(world: World) -> None:
    """Clear and deletion empty one list only."""
    one, two, three = (world.client.segment(name) for name in ("One", "Two", "Three"))
    for segment in (one, two, three):
        world.client.add(segment, [PLAIN])
    world.client.clear(one)
    world.client.delete(two)
    assert world.emulator.members(one) == frozenset()
    assert world.emulator.members(three) == {PLAIN}
    assert world.client.clear(two).status_code == 404
    with pytest.raises(LookupError):
        world.emulator.members(two)


def test_outside_changes_are_visible(world: World) -> None:
    """A change in the console is visible in the next search."""
    one, two = world.client.segment("One"), world.client.segment("Two")
    world.client.add(one, [PLAIN, sha256("x")])
    world.emulator.rename_by_hand(one, "Renamed")
    world.emulator.clear_by_hand(one)
    world.emulator.delete_by_hand(two)
    found = world.client.search().json()["data"]
    assert [item["attributes"]["name"] for item in found] == ["Renamed"]
    assert world.emulator.members(one) == frozenset()
