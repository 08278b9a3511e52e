"""A row with an erased identifier is dropped whole, in whichever form the identifier is written."""

from dataclasses import replace
from pathlib import Path

import pytest
from support.source_project import CUSTOMER, EMAIL, PHONE, TODAY, look, make, md5, sha256

from reconciler.core.members import AudienceRequest, DropReason
from reconciler.core.model import Hashing

pytestmark = pytest.mark.promise("private")

ROWS = "email,id,day\nann@example.com,1,x\nbob@example.com,2,x\ncat@example.com,3,x\nann@example.com,1,y\n"
FORMS = {"plain": str, "MD5": md5, "SHA-256": sha256}


def test_a_row_is_dropped_in_every_destination(tmp_path: Path) -> None:
    project = make(tmp_path).erases(EMAIL, " Ann@Example.com")
    project.write("a.csv", ROWS)
    project.reads("a.csv", where="day = 'x'")
    hashed, ids = project.build((EMAIL, Hashing.SHA256), (CUSTOMER, Hashing.NONE))
    assert hashed[0] == {sha256("bob@example.com"), sha256("cat@example.com")}
    assert ids[0] == {"2", "3"}
    assert dict(hashed[1].drops) == dict(ids[1].drops) == {DropReason.FILTERED: 1, DropReason.ERASED: 1}


def test_an_identifier_that_is_not_sent_drops_the_row_too(tmp_path: Path) -> None:
    project = make(tmp_path).erases(CUSTOMER, "2")
    project.write("a.csv", ROWS)
    project.reads("a.csv")
    assert project.emails() == {"ann@example.com", "cat@example.com"}


@pytest.mark.parametrize("given", FORMS)
@pytest.mark.parametrize("stored", FORMS)
def test_each_form_that_can_be_compared_is_recognised(given: str, stored: str, tmp_path: Path) -> None:
    """MD5 and SHA-256 of one address don't follow from each other."""
    project = make(tmp_path).erases(EMAIL, FORMS[given]("ann@example.com"))
    project.write("a.csv", f"email,id\n{FORMS[stored]('ann@example.com')},1\nbob@example.com,2\n")
    project.reads("a.csv")
    assert project.ids() == ({"2"} if {given, stored} != {"MD5", "SHA-256"} else {"1", "2"})


def test_one_column_of_many_audiences_counts_erased_rows(tmp_path: Path) -> None:
    """Rows of audiences that share a file are counted apart from their values."""
    project = make(tmp_path).erases(EMAIL, "ann@example.com")
    project.write("a.csv", ROWS)
    project.reads("a.csv", columns={EMAIL: "email"})
    one = project.audience
    project.reads("a.csv", where="day = 'x'")
    kinds = ((EMAIL, Hashing.NONE),)
    other = replace(project.audience, name="b")
    with project.engine() as engine:
        built = engine.build([AudienceRequest(each, kinds) for each in (one, other)], TODAY, lambda _: None)
        both = [built[name][kinds[0]] for name in ("a", "b")]
        assert [look(engine, each.members) for each in both] == [{"bob@example.com", "cat@example.com"}] * 2
    assert dict(both[0].drops) == {DropReason.ERASED: 2}
    assert dict(both[1].drops) == {DropReason.ERASED: 1, DropReason.FILTERED: 1}


def test_a_sample_is_of_the_others(tmp_path: Path) -> None:
    project = make(tmp_path).erases(EMAIL, "ann@example.com", "bob@example.com")
    project.write("a.csv", ROWS)
    project.reads("a.csv").sample_rows = 1
    assert project.emails() == {"cat@example.com"}


def test_a_list_excludes_erased_members_and_is_remembered_without_them(tmp_path: Path) -> None:
    project = make(tmp_path).erases(EMAIL, "gone@example.com")
    project.write("a.csv", ROWS)
    project.write("gone.csv", "email\ngone@example.com\nbob@example.com\n")
    project.reads("a.csv").excludes("gone.csv")
    [(_, target)] = project.build((EMAIL, Hashing.NONE))
    [listed] = target.lists
    assert listed.members.count == 1
    assert target.members.count == 2


def test_identifiers_beside_an_erased_one_are_returned(tmp_path: Path) -> None:
    """Those of rows that an audience keeps, of all types that are asked for."""
    project = make(tmp_path).erases(EMAIL, "ann@example.com")
    project.write("a.csv", "email,id,phone\nann@example.com,1,+4915123456789\nbob@example.com,2,\n")
    project.reads("a.csv", columns={EMAIL: "email", CUSTOMER: "id", PHONE: "phone"})
    kinds = tuple((kind, Hashing.NONE) for kind in (EMAIL, CUSTOMER, PHONE))
    with project.engine() as engine:
        found = engine.erased_rows([AudienceRequest(project.audience, kinds)], TODAY)
    assert {kind: found.identifiers[kind].reveal() for kind, _ in kinds} == {
        EMAIL: ["ann@example.com"],
        CUSTOMER: ["1"],
        PHONE: ["+4915123456789"],
    }
    assert found.unread == ()


def test_sources_that_can_not_be_read_are_named(tmp_path: Path) -> None:
    project = make(tmp_path).erases(EMAIL, "ann@example.com")
    project.reads("missing.csv")
    with project.engine() as engine:
        found = engine.erased_rows([AudienceRequest(project.audience, ((EMAIL, Hashing.NONE),))], TODAY)
    assert (dict(found.identifiers), found.unread) == ({}, ("a",))
