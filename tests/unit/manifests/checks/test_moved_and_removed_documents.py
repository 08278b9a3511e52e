"""Every rule of `Moved` and `Removed` documents: cause, position and fix."""

from pathlib import Path

import pytest
from support.manifest_project import Project

from reconciler.core.lifecycle import MembersEnd, MovedAudience, RemovedAudience, SegmentEnd
from reconciler.core.model import Address
from reconciler.manifests import load

pytestmark = pytest.mark.promise("refused-early")

REMOVED = "kind: Removed\naddress: {}\nmembers: remove\nsegment: delete\n"
MOVED = "kind: Moved\nfrom: {}\nto: {}\n"


def both(*documents: str) -> str:
    return "---\n".join(documents)


FLAWS = [
    (REMOVED.format("‸lapsed-90d"), "still contain this address", "or remove this document"),
    (REMOVED.format("‸offsite-email/lapsed-90d"), "still contain this address", "remove the audience or"),
    (REMOVED.format("‸Dogs"), "is not written as it must be", "write an address (destination/audience)"),
    (
        both(REMOVED.format("dogs"), REMOVED.format("‸offsite-email/dogs")),
        "another Removed names this address, at environments/sandbox/changes.yaml:2:10",
        "remove one of the two",
    ),
    (
        both(MOVED.format("dogs", "lapsed-90d"), REMOVED.format("‸dogs")),
        "this address is moved, at environments/sandbox/changes.yaml:2:7",
        "remove one of the two documents",
    ),
    (MOVED.format("‸lapsed-90d", "lapsed-90d"), "still contain what this document moves", "rename it in"),
    (MOVED.format("dogs", "‸offsite-email/lapsed-90d"), "not of one form", "write two addresses, or two"),
    (MOVED.format("dogs", "‸lapsed-90"), "no such audience or address", "did you mean `lapsed-90d`?"),
    (
        MOVED.format("offsite-email/dogs", "‸offsite-email/cats"),
        "no such audience or address",
        "offsite-email/lapsed-90d",
    ),
    (MOVED.format("dogs", "‸dogs"), "these moves lead in a circle", "remove this document"),
    (
        both(MOVED.format("dogs", "lapsed-90d"), MOVED.format("‸dogs", "offsite-email/lapsed-90d")),
        "another Moved names this address, at environments/sandbox/changes.yaml:2:7",
        "remove one of the two",
    ),
    (
        both(MOVED.format("dogs", "lapsed-90d"), MOVED.format("cats", "‸lapsed-90d")),
        "another Moved names this address, at environments/sandbox/changes.yaml:3:5",
        "remove one of the two",
    ),
    ("kind: Removed\naddress: dogs\nmembers: ‸clear\nsegment: keep\n", "`members`", "keep, remove"),
]


@pytest.mark.parametrize(("text", "problem", "remedy"), FLAWS)
def test_a_document_is_refused_with_its_place_and_the_way_out(
    tmp_path: Path, text: str, problem: str, remedy: str
) -> None:
    project = Project(tmp_path)
    where = project.write("changes.yaml", text)
    found = [one for one in project.findings() if one.where == where]
    assert any(problem in one.problem and remedy in one.remedy for one in found), project.findings()


def test_moves_in_a_circle_are_all_named(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.write("changes.yaml", both(MOVED.format("dogs", "cats"), MOVED.format("cats", "dogs")))
    assert [one.problem for one in project.findings()] == ["these moves lead in a circle"] * 2


def test_unknown_names_wait_until_every_document_is_readable(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.write("changes.yaml", MOVED.format("dogs", "lapsed-90"))
    project.write("audiences/more.yaml", "kind: Audience\nname: [\n")
    assert not any("no such audience" in one.problem for one in project.findings())


def test_sound_documents_are_part_of_the_desired_state(tmp_path: Path) -> None:
    project = Project(tmp_path)
    chain = (MOVED.format("dogs", "cats"), MOVED.format("cats", "lapsed-90d"))
    at = project.write("changes.yaml", both(REMOVED.format("‸offsite-email/birds"), *chain))
    desired = load(tmp_path, "sandbox")
    place = desired.removed[0].place
    assert str(place) == at
    birds = RemovedAudience("offsite-email/birds", MembersEnd.REMOVE, SegmentEnd.DELETE, place)
    assert desired.removed == (birds,)
    assert [type(one) for one in desired.moved] == [MovedAudience, MovedAudience]
    assert desired.end_of(Address("offsite-email", "birds")) == birds
