"""Real exports: what is read, and the errors of what can't be read."""

import gzip
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest
from support.source_project import (
    CUSTOMER,
    EMAIL,
    LIST_PLACE,
    PHONE,
    PLACE,
    TODAY,
    Project,
    build,
    look,
    make,
    md5,
    never,
    sha256,
)

from reconciler.core.errors import ConfigurationError, StorageError
from reconciler.core.members import EMPTY_SNAPSHOT, DropReason
from reconciler.core.model import Guards, Hashing, IdentifierType
from reconciler.members.data_root import LocalFolder, open_root
from reconciler.members.engine import DuckDbEngine
from reconciler.members.intake import zstd
from reconciler.members.source_check import check_all
from reconciler.members.time_limit import READING, OverdueError

pytestmark = pytest.mark.promise("members")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return make(tmp_path)


# What is read


@pytest.mark.parametrize(
    "content",
    [
        "email,id\na@x.com,1\nb@x.com,2\n",
        "email,id\r\na@x.com,1\r\nb@x.com,2\r\n",
        "email,id\ra@x.com,1\rb@x.com,2",
        "\ufeffemail,id\na@x.com,1\nb@x.com,2",
        '"email","id"\n"a@x.com","1"\n"b@x.com","2"\n',
        " email , id\na@x.com,1\n\nb@x.com,2\n\n",
        "id;note;email\n1;x,y;a@x.com\n2;;b@x.com\n",
        "id|email\n1|a@x.com\n2|b@x.com\n",
        "EMAIL,Id\na@x.com,1\nb@x.com,2\n",
        'email,note,id\na@x.com,"two\nlines, and ""more""",1\nb@x.com,"two\r\nlines",2\n',
        'email,note,id\r\na@x.com,"two\nlines",1\r\nb@x.com,,2\r\n',
        "email,id,\na@x.com,1,\nb@x.com,2,\n",
        "#,email,id\n#1,a@x.com,1\n#2,b@x.com,2\n",
    ],
)
def test_csv_in_every_dialect_is_read_alike(project, content):
    project.write("people.csv", content)
    project.reads("people.csv")
    assert project.problems() == []
    assert project.emails() == {"a@x.com", "b@x.com"}
    assert project.ids() == {"1", "2"}


def test_text_formats_packed_or_not_are_read_alike(project):
    lines = '{"email": "a@x.com", "id": 1}\n{"id": "2", "extra": [1], "email": "b@x.com"}\n'
    project.write("a.jsonl", lines)
    project.write("b.ndjson.gz", gzip.compress(lines.encode()))
    project.write("c.json", '[{"email": "a@x.com", "id": 1}, {"email": "b@x.com", "id": "2"}]')
    project.write("d.tsv", "id\temail\n1\ta@x.com\n2\tb@x.com\n")
    project.write("e.csv.gz", gzip.compress(b"email,id\na@x.com,1\nb@x.com,2\n"))
    duckdb.execute(
        f"COPY (SELECT * FROM (VALUES ('a@x.com', '1'), ('b@x.com', '2')) AS t(email, id)) "
        f"TO '{project.root}/f.csv.zst' (HEADER, COMPRESSION zstd)"
    )
    project.parquet("g.parquet", "SELECT 'a@x.com' AS email, 1 AS id UNION ALL SELECT 'b@x.com', 2")
    for file in ("a.jsonl", "b.ndjson.gz", "c.json", "d.tsv", "e.csv.gz", "f.csv.zst", "g.parquet"):
        project.reads(file)
        assert (project.problems(), project.emails(), project.ids()) == (
            [],
            {"a@x.com", "b@x.com"},
            {"1", "2"},
        ), file


def test_files_unite_by_name_whatever_their_order_and_line_endings(project):
    project.write("in/1.csv", "email,id,extra\na@x.com,1,x\n")
    project.write("in/2.csv", '\ufeffid;email\r\n2;"b@x.com"\r\n')
    project.write("in/deep/3.tsv", "EMAIL\tID\nc@x.com\t3\n")
    project.write("in/.hidden.csv", "nonsense")
    project.write("in/_SUCCESS.csv", "")
    project.reads("in/**/*.csv", "in/deep/*.tsv", "in/1.csv")
    assert project.emails() == {"a@x.com", "b@x.com", "c@x.com"}
    assert project.ids() == {"1", "2", "3"}


def test_identifiers_stay_text(project):
    ids = ["00123", "12345678901234567890123", "1e5", "true", "2026-01-01", "0x1F", "1.50", "Inf"]
    project.write("a.csv", "email,id\n" + "".join(f"x{i}@x.com,{one}\n" for i, one in enumerate(ids)))
    project.reads("a.csv", columns={CUSTOMER: "id"})
    assert project.ids() == set(ids)
    project.write("b.jsonl", '{"id": "00123"}\n{"id": 18446744073709551615}\n{"id": null}\n{}\n')
    project.reads("b.jsonl")
    assert project.ids() == {"00123", "18446744073709551615"}
    project.parquet("c1.parquet", "SELECT 9007199254740993 AS id")
    project.parquet("c2.parquet", "SELECT '00123' AS id")
    project.reads("c*.parquet")
    assert project.ids() == {"9007199254740993", "00123"}


def test_rows_that_take_too_long_to_read_are_blamed_on_the_condition(project, monkeypatch):
    @contextmanager
    def at_once(cursor: duckdb.DuckDBPyConnection, seconds: float) -> Iterator[None]:
        assert seconds == READING
        yield
        raise OverdueError

    project.write("a.csv", "email,id\na@x.com,1\n")
    monkeypatch.setattr("reconciler.members.reading.time_limit", at_once)
    said = project.reads("a.csv", where="id = '1'").refusal()
    assert said.startswith(f"{PLACE}: reading the rows of this `where` takes more than 60 minutes")
    assert project.reads("a.csv").emails() == {"a@x.com"}


def test_phone_numbers_written_nationally_are_members_where_their_country_is_known(project):
    project.write("a.csv", "phone,email\n06 12 34 56 78,a@x.com\n0033612345678,b@x.com\n0612345679,c@x.com\n")
    project.reads("a.csv", columns={PHONE: "phone"})
    [(members, target)] = project.build((PHONE, Hashing.NONE))
    assert members == {"+33612345678"}
    assert target.malformed == (("no country code", 2),)
    project.audience = replace(project.audience, country="FR")
    [(members, target), (hashed, _)] = project.build((PHONE, Hashing.NONE), (PHONE, Hashing.SHA256))
    assert members == {"+33612345678", "+33612345679"}
    assert hashed == set(map(sha256, members))
    assert target.dropped(DropReason.DUPLICATE) == 1


@pytest.mark.parametrize(
    ("content", "country"),
    [
        ("phone\n06 12 34 56 78\n", "FR"),
        ("phone\n+33 6 12 34 56 78\n", ""),
        ("phone\n(0612) 34.56.78\n0470123456\n", "FR"),
        (f"phone\n{sha256('+33612345678')}\n", "FR"),
    ],
)
@pytest.mark.parametrize("written", ["0612345678", "+33612345678", sha256("+33612345678")])
def test_an_exclusion_list_matches_however_the_numbers_are_written(project, content, country, written):
    project.write("a.csv", f"phone,email\n{written},a@x.com\n06 99 99 99 99,b@x.com\n")
    project.write("gone.csv", content)
    project.reads("a.csv", columns={PHONE: "phone", EMAIL: "email"}).excludes("gone.csv", PHONE, "phone")
    [listed] = project.audience.exclusion_lists
    project.audience = replace(
        project.audience, country="FR", exclusion_lists=(replace(listed, country=country),)
    )
    assert project.emails() == {"b@x.com"}


def test_each_list_is_read_in_its_own_country(project):
    project.write("a.csv", "phone,email\n+33612345678,a@x.com\n+32470123456,b@x.com\n+33699999999,c@x.com\n")
    project.write("fr.csv", "phone\n0612345678\n")
    project.write("be.csv", "phone\n0470 12 34 56\n")
    project.reads("a.csv", columns={PHONE: "phone", EMAIL: "email"})
    project.excludes("fr.csv", PHONE, "phone").excludes("be.csv", PHONE, "phone")
    french, belgian = project.audience.exclusion_lists
    lists = (replace(french, country="FR"), replace(belgian, country="BE"))
    project.audience = replace(project.audience, exclusion_lists=lists)
    assert project.emails() == {"c@x.com"}


def test_a_file_with_a_header_and_no_rows_is_an_empty_audience(project):
    project.write("a.csv", "email,id\n")
    [(members, target)] = project.reads("a.csv", where="id > 'a'").build((EMAIL, Hashing.SHA256))
    assert (members, target.rows, target.members, target.suppressed) == (
        frozenset(),
        0,
        EMPTY_SNAPSHOT,
        EMPTY_SNAPSHOT,
    )


def test_file_names_are_not_patterns_once_found(project):
    project.write("week [1] it's 50%.csv", "email,id\na@x.com,1\n")
    project.write("week 1 it's 50%.csv", "email,id\nb@x.com,2\n")
    assert project.reads("week [[]1*.csv").emails() == {"a@x.com"}


def test_the_newest_file_says_how_fresh_the_source_is(project):
    for name, age in (("a.csv", 500), ("b.csv", 100)):
        project.write(name, "email,id\na@x.com,1\n")
        os.utime(project.root / name, (1_800_000_000 - age, 1_800_000_000 - age))
    [(_, target)] = project.reads("*.csv").build((EMAIL, Hashing.NONE))
    assert target.newest == datetime.fromtimestamp(1_800_000_000 - 100, UTC)


# What is dropped, and why


def test_every_row_is_a_member_or_dropped_for_one_reason(project):
    project.write(
        "a.csv",
        "email,id,day\n"
        "A@x.com,1,2026-01-01\n"
        " a@X.com\t,2,2026-01-01\n"
        f"{sha256('b@x.com')},3,2026-01-01\n"
        "b@x.com,4,2026-01-01\n"
        f"{md5('c@x.com')},5,2026-01-01\n"
        ",6,2026-01-01\n"
        "nobody,7,2026-01-01\n"
        "gone@x.com,8,2026-01-01\n"
        "d@x.com,9,2027-01-01\n"
        "e@x.com,,\n",
    )
    project.write("gone.csv", "email\nGONE@x.com\n")
    project.reads("a.csv", where="day < :today").excludes("gone.csv")
    hashed, plain, ids = project.build(
        (EMAIL, Hashing.SHA256), (EMAIL, Hashing.NONE), (CUSTOMER, Hashing.NONE)
    )
    assert hashed[0] == {sha256("a@x.com"), sha256("b@x.com")}
    assert dict(hashed[1].drops) == {
        DropReason.FILTERED: 2,
        DropReason.EXCLUDED: 1,
        DropReason.EMPTY: 1,
        DropReason.MALFORMED: 1,
        DropReason.OTHER_HASHING: 1,
        DropReason.DUPLICATE: 2,
    }
    assert hashed[1].malformed == (("no @", 1),)
    assert (hashed[1].hashed, hashed[1].mixed, hashed[1].rows) == (1, True, 10)
    assert plain[0] == {"a@x.com", "b@x.com"}
    assert plain[1].dropped(DropReason.OTHER_HASHING) == 2
    assert ids[0] == set("1234567")
    assert look_suppressed(project, (CUSTOMER, Hashing.NONE)) == {"8"}


def look_suppressed(project: Project, kind: tuple[IdentifierType, Hashing]) -> frozenset[str]:
    with DuckDbEngine(LocalFolder(project.root), project.work, never, b"k" * 32, None) as engine:
        return look(engine, build(engine, project.audience, [kind])[kind].suppressed)


FORMS = {"plain": str, "MD5": md5, "SHA-256": sha256, "SHA-256 of MD5": lambda text: sha256(md5(text))}


# Neither of an MD5 and a SHA-256 of the plain address can be computed from the other.
APART = ({"MD5", "SHA-256"}, {"SHA-256", "SHA-256 of MD5"})
COMPARABLE = [(one, two) for one in FORMS for two in FORMS if {one, two} not in APART]


@pytest.mark.parametrize(("listed", "held"), COMPARABLE)
def test_an_excluded_person_is_found_in_whichever_form(project, listed, held):
    project.write(
        "a.csv", f"email,id\n{FORMS[held]('a@x.com').upper()},1\nb@x.com,2\n{FORMS[held]('c@x.com')},3\n"
    )
    project.write("gone.csv", f"email\n{FORMS[listed]('a@x.com')} \nnobody\n\n")
    project.reads("a.csv").excludes("gone.csv")
    assert project.ids() == {"2", "3"}


@pytest.mark.parametrize(("listed", "held"), [("MD5", "SHA-256"), ("SHA-256", "MD5")])
def test_a_list_that_is_hashed_otherwise_than_the_rows_is_refused(project, listed, held):
    """It would exclude no member, without any message."""
    project.write("a.csv", f"email,id\n{FORMS[held]('a@x.com')},1\nb@x.com,2\n")
    project.write("gone.csv", f"email\n{FORMS[listed]('a@x.com')}\n")
    project.reads("a.csv").excludes("gone.csv")
    with pytest.raises(ConfigurationError) as caught:
        project.ids()
    [finding] = caught.value.findings
    assert f"gone.csv came as {listed} and those of the source as {held}" in finding.problem
    assert finding.remedy == f"export the list plain, or as {held}"


def test_a_few_values_that_are_hashed_otherwise_refuse_no_list(project):
    rows = "".join(f"p{i}@x.com,{i}\n" for i in range(20))
    project.write("a.csv", f"email,id\n{rows}{sha256('a@x.com')},a\n")
    project.write("gone.csv", f"email\np0@x.com\n{md5('b@x.com')}\n")
    project.reads("a.csv").excludes("gone.csv")
    assert len(project.ids()) == 20


def test_sha256_of_md5_is_compared_with_md5_where_that_is_the_form(project):
    project.write("a.csv", f"email,id\n{FORMS['SHA-256 of MD5']('a@x.com')},1\n")
    project.write("gone.csv", f"email\n{md5('stranger@x.com')}\n")
    project.reads("a.csv").excludes("gone.csv")
    [(members, _)] = project.build((EMAIL, Hashing.SHA256_OF_MD5))
    assert len(members) == 1


def test_a_row_is_excluded_from_every_destination_by_any_of_its_identifiers(project):
    project.write(
        "a.csv", "email,id,phone\na@x.com,1,+4930123456\nb@x.com,2,+4930123457\nc@x.com,3,\nd@x.com,4,\n"
    )
    project.write("ids.csv", "id\n1\n")
    project.write("phones.jsonl", '{"phone": "0049 30 123457"}\n')
    project.write("mail.csv", "email\nc@x.com\nstranger@x.com\n")
    project.reads("a.csv", columns={EMAIL: "email", CUSTOMER: "id", PHONE: "phone"})
    project.excludes("ids.csv", CUSTOMER, "id").excludes("phones.jsonl", PHONE, "phone").excludes("mail.csv")
    [(members, target)] = project.build((EMAIL, Hashing.NONE))
    assert members == {"d@x.com"}
    assert target.dropped(DropReason.EXCLUDED) == 3
    assert look_suppressed(project, (EMAIL, Hashing.NONE)) == {
        "a@x.com",
        "b@x.com",
        "c@x.com",
        "stranger@x.com",
    }


KINDS = (EMAIL, Hashing.NONE), (EMAIL, Hashing.MD5), (CUSTOMER, Hashing.NONE)


def test_an_identifier_of_an_excluded_row_is_excluded_in_every_row(project):
    """Household 1 is one with a@x.com; b@x.com, who shares its number, is still sent by address."""
    project.write("a.csv", "email,id\na@x.com,1\n,1\nb@x.com,1\nc@x.com,2\n")
    project.write("gone.csv", "email\nA@x.com\n")
    project.reads("a.csv").excludes("gone.csv")
    (emails, by_email), _, (ids, by_id) = project.build(*KINDS)
    assert (emails, ids) == ({"b@x.com", "c@x.com"}, {"2"})
    assert (by_email.dropped(DropReason.EXCLUDED), by_id.dropped(DropReason.EXCLUDED)) == (1, 3)
    assert project.ids() == {"2"}
    project.sample_rows = 10
    assert project.ids() == {"2"}


@pytest.mark.parametrize("first", ["a@x.com", md5("a@x.com"), sha256("a@x.com"), sha256(md5("a@x.com"))])
@pytest.mark.parametrize("hashing", [one for one in Hashing if one != Hashing.NONE])
def test_an_excluded_identifier_is_known_in_every_form_that_can_be_compared(project, first, hashing):
    """The row is excluded by its number, and the next one has the address in another hashing."""
    others = ["a@x.com", md5("a@x.com"), sha256("a@x.com"), sha256(md5("a@x.com"))]
    project.write("gone.csv", "id\n1\n")
    project.audience = replace(project.audience, guards=Guards(max_invalid=1.0))
    project.write("a.csv", f"email,id\n{first},1\n")
    [(out, _)] = project.reads("a.csv").build((EMAIL, hashing))
    project.excludes("gone.csv", CUSTOMER, "id")
    for other in others:
        project.write("a.csv", f"email,id\n{first},1\n{other},2\n{md5('z@x.com')},3\nz@x.com,3\n")
        [(members, _)] = project.build((EMAIL, hashing))
        assert not members & out


def test_each_list_reports_its_matches_and_exclusions(project):
    rows = ["a@x.com,1", "b@x.com,2", ",3", "nobody,4", "c@x.com,5", "c@x.com,6", "d@x.com,7"]
    project.write("a.csv", "\n".join(["email,id", *rows]) + "\n")
    project.write("mail.csv", f"email\nA@x.com\n{sha256('c@x.com')}\nstranger@x.com\n")
    project.write("ids.csv", "id\n7\n99\n")
    project.reads("a.csv", where="id <> '2'").excludes("mail.csv").excludes("ids.csv", CUSTOMER, "id")
    with DuckDbEngine(LocalFolder(project.root), project.work, never, b"k" * 32, None) as engine:
        target = build(engine, project.audience, [(CUSTOMER, Hashing.NONE)])[CUSTOMER, Hashing.NONE]
        mail, ids = (one.matches for one in target.lists)
        assert look(engine, target.members) == {"3", "4"}
        assert look(engine, mail.found) == {sha256("a@x.com"), sha256("c@x.com")}
        assert look(engine, mail.excluded) == {"1", "5", "6"}
        assert (mail.rows, mail.empty, mail.malformed) == (6, 1, 1)
        assert look(engine, ids.found) == {sha256("7")}
        assert look(engine, ids.excluded) == {"7"}
        assert (ids.rows, ids.empty, ids.malformed) == (6, 0, 0)
        assert ids.is_comparable(mail)
        email = build(engine, project.audience, [(EMAIL, Hashing.SHA256)])[EMAIL, Hashing.SHA256]
        assert look(engine, email.lists[0].matches.excluded) == {sha256("a@x.com"), sha256("c@x.com")}
        assert look(engine, email.lists[1].matches.excluded) == {sha256("d@x.com")}


def test_a_sample_is_stable(project):
    rows = [f"p{i}@x.com,{i},{'2026-01-01' if i % 2 else '2027-01-01'}" for i in range(1000)]
    project.write("a.csv", "email,id,day\n" + "\n".join([*rows, *rows[:500]]) + "\n")
    project.reads("a.csv", where="day < :today").sample_rows = 100
    emails, ids = project.build((EMAIL, Hashing.NONE), (CUSTOMER, Hashing.NONE))
    assert len(emails[0]) == len(ids[0]) == 100
    assert {one.removeprefix("p").removesuffix("@x.com") for one in emails[0]} == ids[0]
    assert emails[1].dropped(DropReason.NOT_SAMPLED) == 750 - 100 - emails[1].dropped(DropReason.DUPLICATE)
    assert project.ids() == ids[0], "one destination alone gets the same people"
    project.write("a.csv", "email,id,day\n" + "\n".join([*rows[:990], "new@x.com,new,2026-01-01"]) + "\n")
    assert len(project.emails() & emails[0]) >= 95
    project.sample_rows = 5000
    assert len(project.emails()) == 496


def test_people_without_an_address_are_sampled_by_their_next_identifier(project):
    rows = [f"{'' if i % 2 else f'p{i}@x.com'},{i}" for i in range(400)]
    project.write("a.csv", "email,id\n" + "\n".join(rows) + "\n")
    project.reads("a.csv").sample_rows = 100
    emails, ids = project.build((EMAIL, Hashing.NONE), (CUSTOMER, Hashing.NONE))
    assert len(ids[0]) == 100
    assert 30 < len(emails[0]) < 70
    assert emails[1].dropped(DropReason.EMPTY) == 100 - len(emails[0])


# What `where` sees

SEEN = """
id,day,value,paid,seen,zip,code,city,nothing,odd
1,2026-01-01,500.0,true,2026-11-23T23:00:00Z,01234,7,Köln,,31/12/2025
2,2026-08-25,500.4,FALSE,2026-11-24T00:00:01,00001,0x,Bonn,,01/01/2026
3,2026-08-27,1000,True,2026-12-31,99999,b,Ulm,,02/01/2026
4,,,,2026-11-24T00:30:00+02:00,1234,,Köln,,03/01/2026
"""


@pytest.mark.parametrize(
    ("where", "ids"),
    [
        ("day < :today - interval 90 day", "1 2"),
        ("day is null", "4"),
        ("value > 500", "2 3"),
        ("value = 1000", "3"),
        ("paid", "1 3"),
        ("not paid", "2"),
        ("seen < :today", "1 4"),
        ("zip like '0%'", "1 2"),
        ("zip = '1234'", "4"),
        ("code > 'a'", "3"),
        ("id = '2' or id = '02'", "2"),
        ("nothing is null and city = 'Köln'", "1 4"),
        ("strptime(odd, '%d/%m/%Y') >= :today - interval 1 year", "1 2 3 4"),
    ],
)
@pytest.mark.parametrize("packing", ["csv", "jsonl", "sniffed late"])
def test_a_text_column_means_what_all_of_its_values_mean(project, where, ids, packing):
    header, *rows = (line.split(",") for line in SEEN.split())
    if packing == "sniffed late":  # the first rows all look like whole numbers and dates, or are empty
        rows = ["x,,1,,2026-12-01,1,1,x,,01/01/2020".split(",")] * 12_000 + rows  # noqa: SIM905 - as in SEEN
        where = f"({where}) and id <> 'x'"
    if packing == "jsonl":
        project.write("a.jsonl", "\n".join(json.dumps(dict(zip(header, row, strict=True))) for row in rows))
    else:
        project.write("a.csv", "\n".join(",".join(row) for row in [header, *rows]) + "\n")
    project.reads("a.*", where=where, columns={CUSTOMER: "id"})
    assert project.problems() == []
    assert project.ids() == set(ids.split())


def test_parquet_keeps_the_types_it_has(project):
    project.parquet(
        "a.parquet", "SELECT * FROM (VALUES (1, DATE '2026-01-01', 5), (2, NULL, 7)) AS t(id, day, n)"
    )
    project.reads("a.parquet", where="day < :today or n = 7", columns={CUSTOMER: "id"})
    assert project.ids() == {"1", "2"}
    project.reads("a.parquet", where="id > 1")
    assert project.ids() == {"2"}


def test_a_column_that_stops_being_a_date_is_an_error_and_not_an_empty_audience(project):
    rows = "".join(f"{i},2026-01-01\n" for i in range(11_000))
    project.write("a.csv", f"id,day\n{rows}x,soon\n")
    project.reads("a.csv", where="day < :today", columns={CUSTOMER: "id"})
    assert project.problems() == []
    said = project.refusal()
    assert "`where` doesn't suit its columns: day is text" in said
    assert "soon" not in said


def test_an_expression_that_fails_on_a_value_names_the_column_only(project):
    project.write("a.csv", "id,day\n1,2026-13-45\n")
    project.reads("a.csv", where="strptime(day, '%Y-%m-%d') < :today", columns={CUSTOMER: "id"})
    assert project.refusal().startswith(f"{PLACE}: `where` fails on a value of day")
    project.reads("a.csv", where="cast(day as integer) = 1")
    said = project.refusal()
    assert "fails on a value of day" in said
    assert "2026-13" not in said


# What can't be used


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (("nothing/*.csv",), "no file matches nothing/*.csv"),
        (("../secret.csv",), "lies outside the data root"),
        (("/etc/passwd",), "lies outside the data root"),
        (("s3://bucket/a.csv",), "lies outside the data root"),
        (("link.csv",), "leads out of the data root by a link"),
        (("a.xlsx",), "a.xlsx is of no kind that can be read"),
        (("a.csv", "b.jsonl"), "mixes csv and json files"),
        (("empty.csv",), "empty.csv has no header line"),
        (
            ("headless.csv",),
            "there is no such column → name a column of the files' header line; do they begin with one?",
        ),
        (("mail.csv",), "there is no such column → did you mean e_mail?"),
        (("a.csv", "mail.csv"), "there is no such column in mail.csv"),
        (("twice.csv",), "this column is there twice"),
        (("mail.parquet",), "there is no such column → did you mean e_mail?"),
    ],
)
def test_files_that_can_not_be_used_are_found_offline(project, files, said):
    project.write("a.csv", "email,id\na@x.com,1\n")
    project.write("b.jsonl", '{"email": "a@x.com", "id": 1}\n')
    project.write("a.xlsx", b"PK")
    project.write("empty.csv", "")
    project.write("headless.csv", "jane@example.com,Jane,4711\njoe@example.com,Joe,4712\n")
    project.write("mail.csv", "e_mail,id\na@x.com,1\n")
    project.write("twice.csv", "email,id,Email\na@x.com,1,b@x.com\n")
    project.parquet("mail.parquet", "SELECT 'a@x.com' AS e_mail, 1 AS id")
    (project.root.parent / "outside.csv").write_text("email,id\njane@x.com,1\n")
    (project.root / "link.csv").symlink_to(project.root.parent / "outside.csv")
    found = project.reads(*files).problems()
    assert found
    assert found[0].startswith(f"{PLACE}: ")
    assert said in found[0]
    assert "jane" not in str(found).lower()


def test_every_problem_is_reported_at_once(project):
    project.write("a.csv", "e_mail,id\na@x.com,1\n")
    project.write("gone.csv", "mail,phone\na@x.com,1\n")
    project.reads("a.csv", where="idd = '1'").excludes("gone.csv").excludes("none.csv").excludes(
        "gone.csv", PHONE, "phone"
    )
    assert [line.partition(" → ")[0] for line in project.problems()] == [
        f"{PLACE}: there is no such column",
        f"{LIST_PLACE}: there is no such column",
        f"{LIST_PLACE}: no file matches none.csv in {project.root}",
        f"{LIST_PLACE}: this list could never exclude anybody",
        f"{PLACE}: `where` names a column that isn't there",
    ]


@pytest.mark.parametrize(
    ("select", "said"),
    [
        ("1.5::DOUBLE", "stored as floating point in a.parquet"),
        ("1.5::FLOAT", "stored as floating point in a.parquet"),
        ("1.5::DECIMAL(9, 2)", "stored as decimal in a.parquet"),
        ("DATE '2026-01-01'", "stored as date in a.parquet"),
        ("TIMESTAMP '2026-01-01'", "stored as timestamp in a.parquet"),
        ("true", "stored as boolean in a.parquet"),
        ("'7'::BLOB", "stored as blob in a.parquet"),
        ("[1]", "stored as integer[] in a.parquet"),
        ("['7']", "stored as varchar[] in a.parquet"),
        ("{id: '7'}", "stored as struct in a.parquet"),
        ("MAP {'id': '7'}", "stored as map in a.parquet"),
    ],
)
def test_identifiers_that_are_no_text_in_parquet_are_refused(project, select, said):
    project.parquet("a.parquet", f"SELECT {select} AS id")
    project.parquet("b.parquet", "SELECT '7' AS id")
    [found] = project.reads("a.parquet", columns={CUSTOMER: "id"}).problems()
    assert said in found
    [found] = project.reads("*.parquet").problems()
    assert said in found, "also where the other file would turn it into text"
    project.write("c.csv", "id\n7\n")
    [found] = project.reads("c.csv").excludes("?.parquet", CUSTOMER, "id").problems()
    assert found.startswith(f"{LIST_PLACE}: ")
    assert said in found, "and in a list"


@pytest.mark.parametrize("select", ["7", "7::UBIGINT", "'7'", "'7'::ENUM('7')", "uuid()"])
def test_what_is_nested_in_another_column_has_nothing_to_do_with_identifiers(project, select):
    nested = "{id: 1.5::DOUBLE, deep: {id: [1.5::DOUBLE]}} AS before, MAP {1.5: 1.5::DOUBLE} AS key"
    project.parquet("a.parquet", f"SELECT {nested}, {select} AS id, [1.5] AS list, {{id: 2.5}} AS after")
    project.parquet("b.parquet", "SELECT 1.5 AS before, '8' AS id")
    project.reads("a.parquet", columns={CUSTOMER: "id"})
    assert len(project.ids()) == 1
    assert len(project.reads("b.parquet").ids()) == 1


@pytest.mark.parametrize(
    "value", ["1.5", "1e30", "123456789012345678901234567890", "true", "[1]", '{"a": 1}']
)
def test_identifiers_that_are_no_text_in_json_are_refused(project, value):
    project.write("a.jsonl", '{"id": 1}\n' * 50 + f'{{"id": {value}}}\n')
    said = project.reads("a.jsonl", columns={CUSTOMER: "id"}).refusal()
    assert "not every value of id is text or a whole number" in said
    assert value not in said
    project.write("b.csv", "id\n1\n")
    said = project.reads("b.csv").excludes("a.jsonl", CUSTOMER, "id").refusal()
    assert said.startswith(f"{LIST_PLACE}: not every value of id is text or a whole number")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            b"email,id\njane@x.com,1\nb@x.com,2,3\n",
            "line 3: the line has more or fewer columns than the header",
        ),
        (b"email,id\njane@x.com\n", "line 2: the line has more or fewer columns than the header"),
        ("email,id\njäne@x.com,1\n".encode("latin-1"), "line 2: it is not UTF-8"),
        (b'email,id\n"jane@x.com,1\nb@x.com,2\n', "line 2: a quote is opened and never closed"),
        (b"email,id\r\njane@x.com,1\nb@x.com,2\r\n", "quotes or line endings are broken"),
        (b"email,id\n" + b"jane" * 1_000_000 + b",1\n", "a line is longer than 2 MB"),
    ],
)
def test_a_file_that_breaks_off_names_file_and_line_and_no_value(project, content, said):
    project.write("in/broken.csv", content)
    refused = project.reads("in/*.csv").refusal()
    assert refused.startswith(f"{PLACE}: in/broken.csv")
    assert said in refused
    assert "jane" not in refused


def test_broken_json_parquet_and_gzip_are_distinguished_from_bugs(project):
    project.write("a.jsonl", '{"email": "jane@x.com", "id": 1}\n{"email": \n')
    project.write("b.parquet", b"PAR1jane")
    project.write("c.csv.gz", gzip.compress(b"email,id\njane@x.com,1\n" * 9000)[:100])
    for file in ("a.jsonl", "b.parquet", "c.csv.gz"):
        said = project.reads(file).refusal()
        assert file in said
        assert "jane" not in said


def test_a_broken_exclusion_list_is_reported_where_it_is_named(project):
    project.write("a.csv", "email,id\na@x.com,1\n")
    project.write("gone.csv", "email,x\njane@x.com\n")
    said = project.reads("a.csv").excludes("gone.csv").refusal()
    assert said.startswith(f"{LIST_PLACE}: gone.csv, line 2")


STRAY = '"b@x.com,2\nc@x.com,3\nd@x.com",4\n'


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_line_break_inside_an_identifier_is_refused_at_its_line(project, end):
    """Two stray quotes turn all lines between them into one value, in a source and in a list."""
    project.write("a.csv", ("email,id\na@x.com,1\n" + STRAY).replace("\n", end))
    said = project.reads("a.csv", where="id < '2'").refusal()
    assert said.startswith(f"{PLACE}: a.csv, line 3: an identifier holds a line break"), said
    assert "c@x" not in said
    project.write("gone.csv", ('\ufeffname,email\nx,a@x.com\n\ny,"b@x.com\nz,c@x.com"\n').replace("\n", end))
    project.write("a.csv", "email,id\na@x.com,1\n")
    said = project.reads("a.csv").excludes("gone.csv").refusal()
    assert said.startswith(f"{LIST_PLACE}: gone.csv, line 4: an identifier holds a line break"), said


def test_a_value_longer_than_any_is_refused_at_its_line(project):
    project.write("a.csv", 'email,id\na@x.com,1\n"b@x.com,2\n' + 20_000 * "c@x.com,3\n" + 'd@x.com",4\n')
    assert project.reads("a.csv").refusal().startswith(f"{PLACE}: a.csv, line 3: an identifier holds")


def test_line_breaks_around_an_identifier_and_in_other_columns_are_text(project):
    project.write("a.csv", 'email,note,id\n"a@x.com\n","two\nlines",1\n" \r\nb@x.com",,2\n')
    assert project.reads("a.csv").emails() == {"a@x.com", "b@x.com"}


NULS = ["email,id\na@x.com,1\nb\0@x.com,2\n", "email,id\na@x.com,1\n" + 64 * "\0", "email,id\n\0a@x.com,1\n"]


@pytest.mark.parametrize("content", NULS)
@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.tsv.zst"])
def test_a_nul_byte_is_refused_wherever_it_is(project, content, name):
    raw, at = content.encode(), content.index("\0") + 1
    packed = (
        gzip.compress(raw) if name.endswith("gz") else zstd.compress(raw) if name.endswith("zst") else raw
    )
    project.write(name, packed)
    [said] = project.reads(name).problems()
    assert said.startswith(f"{PLACE}: {name} is no text: byte {at} of it is NUL"), said


def test_a_nul_byte_far_into_a_file_or_in_json_is_refused(project):
    project.write("a.csv", "email,id\n" + 120_000 * "a@x.com,1\n" + "b@x.com\0,2\n")
    assert "a.csv is no text: byte 1,200,017 of it is NUL" in project.reads("a.csv").refusal()
    project.write("b.jsonl", '{"email": "a@x.com", "id": "1"}\n\0\n')
    assert "b.jsonl is no text: byte 33 of it is NUL" in project.reads("b.jsonl").refusal()


def test_without_the_data_only_the_syntax_is_checked(project):
    nowhere = str(project.root / "nowhere")
    assert (
        check_all((project.reads("a.csv", where="day < :today").audience,), nowhere, TODAY, project.work)
        == ()
    )
    [finding] = check_all((project.reads("a.csv", where="day <").audience,), nowhere, TODAY, project.work)
    assert "not one SQL expression" in finding.problem
    with (
        pytest.raises(ConfigurationError, match="no data root"),
        DuckDbEngine(LocalFolder(Path(nowhere)), project.work, never, b"", None) as engine,
    ):
        build(engine, project.audience, [(EMAIL, Hashing.NONE)])


def test_of_an_object_store_only_the_syntax_is_checked_offline(project):
    bucket = "s3://bucket/exports"
    assert (
        check_all((project.reads("a.csv", where="day < :today").audience,), bucket, TODAY, project.work) == ()
    )
    [finding] = check_all((project.reads("a.csv", where="day <").audience,), bucket, TODAY, project.work)
    assert "not one SQL expression" in finding.problem


@pytest.mark.parametrize("place", ["http://bucket/exports", "ftp://there"])
def test_what_is_no_place_for_sources_is_refused_with_a_way_out(place, project):
    with pytest.raises(ConfigurationError, match="can't be read") as refused:
        open_root(place, lambda: project.work, lambda: None)
    assert "s3://BUCKET/PREFIX" in refused.value.remedy


# What is left on disk


def test_files_are_private_and_removed_afterwards(project):
    project.write("a.csv", "email,id\na@x.com,1\n")
    with DuckDbEngine(LocalFolder(project.root), project.work, never, b"k" * 32, None) as engine:
        target = build(engine, project.reads("a.csv").audience, [(EMAIL, Hashing.SHA256)])[
            EMAIL, Hashing.SHA256
        ]
        snapshot = Path(engine.file(target.members))
        assert project.work.stat().st_mode & 0o777 == snapshot.parent.stat().st_mode & 0o777 == 0o700
        assert snapshot.stat().st_mode & 0o777 == 0o600
    assert list(project.work.iterdir()) == []


def test_a_snapshot_made_elsewhere_is_fetched_and_counted(project, tmp_path):
    project.write("a.csv", "email,id\na@x.com,1\nb@x.com,2\n")
    elsewhere = tmp_path / "state.parquet"
    with DuckDbEngine(LocalFolder(project.root), project.work, never, b"k" * 32, None) as engine:
        target = build(engine, project.reads("a.csv").audience, [(EMAIL, Hashing.SHA256)])[
            EMAIL, Hashing.SHA256
        ]
        shutil.copy(engine.file(target.members), elsewhere)
    with DuckDbEngine(
        LocalFolder(project.root), project.work, lambda _: str(elsewhere), b"k" * 32, None
    ) as engine:
        assert len(look(engine, target.members)) == 2
        with pytest.raises(StorageError, match="holds 2 members, not 3"):
            engine.file(replace(target.members, count=3))


def test_a_key_of_its_own_gives_another_name_to_the_same_set(project):
    project.write("a.csv", "email,id\na@x.com,1\n")
    digests = set()
    for key in (b"k" * 32, b"q" * 32):
        with DuckDbEngine(LocalFolder(project.root), project.work, never, key, None) as engine:
            digests.add(
                build(engine, project.reads("a.csv").audience, [(EMAIL, Hashing.SHA256)])[
                    EMAIL, Hashing.SHA256
                ].members.digest
            )
    assert len(digests) == 2
    assert sha256("a@x.com") not in digests


def test_too_little_memory_is_a_storage_error(project):
    project.parquet(
        "a.parquet", "SELECT 'user' || i || '@x.com' AS email, i AS id FROM range(300000) AS r(i)"
    )
    project.reads("a.parquet")
    with (
        DuckDbEngine(
            LocalFolder(project.root), project.work, never, b"k" * 32, None, memory_limit="4MB"
        ) as engine,
        pytest.raises(StorageError, match="more memory or disk is needed"),
    ):
        build(engine, project.audience, [(EMAIL, Hashing.SHA256)])
