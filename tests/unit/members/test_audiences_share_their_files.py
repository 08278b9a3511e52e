"""Audiences of one run that share files are built from one read, with the same result as alone."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
from support.source_project import (
    CUSTOMER,
    EMAIL,
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

from reconciler.core.errors import ConfigurationError
from reconciler.core.members import AudienceRequest, BuiltAudience, Kind, SourceProgress, SourceStep
from reconciler.core.model import Audience, Exclusion, Guards, Hashing, Source
from reconciler.members.data_root import LocalFolder
from reconciler.members.engine import DuckDbEngine

pytestmark = pytest.mark.promise("members")

NAME, SHA256 = (EMAIL, Hashing.NONE), (EMAIL, Hashing.SHA256)


@pytest.fixture
def project(tmp_path):
    return make(tmp_path)


def engine_of(project: Project, sample_rows: int | None = None) -> DuckDbEngine:
    return DuckDbEngine(LocalFolder(project.root), project.work, never, b"k" * 32, sample_rows)


def audience(name: str, *files: str, where: str = "", **more: object) -> Audience:
    source = Source(files, where, place=PLACE, where_place=PLACE, where_written=where)
    return Audience(name, name, "", source, ((EMAIL, "email"), (CUSTOMER, "id")), place=PLACE, **more)  # type: ignore[arg-type]


def together(
    engine: DuckDbEngine, audiences: Sequence[Audience], *kinds: Kind
) -> tuple[Mapping[str, BuiltAudience], list[SourceProgress]]:
    steps: list[SourceProgress] = []
    requests = [AudienceRequest(one, kinds) for one in audiences]
    built = engine.build(requests, TODAY, steps.append)
    return built, [one for one in steps if one.step is SourceStep.READ]


def refusals(built: Mapping[str, BuiltAudience]) -> dict[str, str]:
    return {
        name: "\n".join(map(str, one.findings))
        for name, one in built.items()
        if isinstance(one, ConfigurationError)
    }


def test_each_audience_has_the_rows_that_its_condition_keeps(project):
    project.write("a.csv", "email,id,n\n" + "".join(f"p{n}@x.com,{n},{n}\n" for n in range(300)))
    wanted = [audience(f"a{n}", "a.csv", where=f"n % {n + 1} = 0") for n in range(300)]
    with engine_of(project) as engine:
        built, steps = together(engine, wanted, NAME)
        for n in range(300):
            found = look(engine, built[f"a{n}"][NAME].members)
            assert found == {f"p{one}@x.com" for one in range(0, 300, n + 1)}
    assert [len(one.audiences) for one in steps] == [256, 256, 44, 44], "so many at once, then the others"


def test_files_are_read_once_whatever_the_columns_and_conditions(project):
    project.write("a.csv", "email,id,phone,n\na@x.com,1,+4930123456,1\nb@x.com,2,,2\n")
    project.write("b.csv", "email,id,n\na@x.com,1,1\n")
    first = audience("first", "a.csv", where="n = 1")
    phones = replace(audience("phones", "a.csv"), columns=((PHONE, "phone"),))
    other, again = audience("other", "b.csv"), audience("again", "?.csv", where="N > 0")
    with engine_of(project) as engine:
        requests = [AudienceRequest(one, (SHA256,)) for one in (first, other, again)]
        requests.append(AudienceRequest(phones, ((PHONE, Hashing.SHA256),)))
        steps: list[SourceProgress] = []
        engine.build(requests, TODAY, steps.append)
    assert [(one.audiences, one.number, one.rows) for one in steps if one.step is SourceStep.READ] == [
        (("first", "phones"), 1, None),
        (("first", "phones"), 1, 2),
        (("other",), 2, None),
        (("other",), 2, 1),
        (("again",), 3, None),
        (("again",), 3, 3),
    ]


def test_a_condition_that_fails_stops_its_own_audience_only(project):
    project.write("a.csv", "email,id,day\na@x.com,1,2026-13-45\nb@x.com,2,2026-01-01\n")
    wanted = [
        audience("all", "a.csv"),
        audience("fails", "a.csv", where="strptime(day, '%Y-%m-%d') < :today"),
        audience("one", "a.csv", where="id = '1'"),
        audience("unknown", "a.csv", where="nowhere = 1"),
    ]
    with engine_of(project) as engine:
        built, _ = together(engine, wanted, NAME)
        assert look(engine, built["all"][NAME].members) == {"a@x.com", "b@x.com"}
        assert look(engine, built["one"][NAME].members) == {"a@x.com"}
    said = refusals(built)
    assert set(said) == {"fails", "unknown"}
    assert "`where` fails on a value of day" in said["fails"]


def test_a_file_that_breaks_off_stops_the_audiences_that_read_it(project):
    project.write("a.csv", "email,id\na@x.com,1\n")
    project.write("cut.csv", "email,id\na@x.com,1\nb@x.com\n")
    wanted = [audience(f"a{n}", "cut.csv" if n % 2 else "a.csv", where=f"id >= '{n}'") for n in range(6)]
    with engine_of(project) as engine:
        built, steps = together(engine, wanted, NAME)
    said = refusals(built)
    assert set(said) == {"a1", "a3", "a5"}
    assert all("cut.csv, line 3: the line has more or fewer columns" in one for one in said.values())
    assert len([one for one in steps if one.rows is None]) == 2, "the same columns fail for all at once"


def test_a_damaged_value_stops_the_audiences_that_use_its_column(project):
    """A line break in an address says nothing of numbers."""
    project.write("a.csv", 'email,id\na@x.com,1\n"b@x.com,2\nc@x.com",3\n')
    ids = replace(audience("ids", "a.csv"), columns=((CUSTOMER, "id"),))
    with engine_of(project) as engine:
        requests = [AudienceRequest(audience("mail", "a.csv"), (NAME,))]
        requests.append(AudienceRequest(ids, ((CUSTOMER, Hashing.NONE),)))
        built = engine.build(requests, TODAY, lambda _: None)
        assert look(engine, built["ids"][CUSTOMER, Hashing.NONE].members) == {"1", "3"}
    assert "a.csv, line 3: an identifier holds a line break" in refusals(built)["mail"]


def test_a_column_may_mean_one_thing_to_an_audience_and_another_to_the_next(project):
    """Where it identifies people it is text, and elsewhere what its values are."""
    project.write("a.csv", "email,id\n" + "".join(f"p{n}@x.com,{n}\n" for n in range(1, 13)))
    as_text = audience("text", "a.csv", where="id < '2'")
    as_number = replace(audience("number", "a.csv", where="id < 2"), columns=((EMAIL, "email"),))
    with engine_of(project) as engine:
        built, _ = together(engine, [as_text, as_number], NAME)
        assert built["text"][NAME].members.count == 4
        assert built["number"][NAME].members.count == 1


def test_first_rows_that_mislead_are_found_out_for_all(project):
    rows = "".join(f"p{n}@x.com,{n},{n % 7}\n" for n in range(11_000))
    project.write("a.csv", f"email,id,code\n{rows}last@x.com,x,none\n")
    wanted = [
        audience("text", "a.csv", where="code = '3' or code = 'none'"),
        audience("number", "a.csv", where="code + 1 = 4"),
        audience("all", "a.csv"),
    ]
    with engine_of(project) as engine:
        built, _ = together(engine, wanted, NAME)
        assert "last@x.com" in look(engine, built["text"][NAME].members)
        assert built["all"][NAME].members.count == 11_001
    assert "doesn't suit its columns: code is text" in refusals(built)["number"]


def written(rng: random.Random) -> str:
    name = f"p{rng.randrange(40)}@x.com"
    forms = [str, str, str.upper, md5, sha256, lambda text: sha256(md5(text)), lambda _: "", lambda _: "none"]
    return rng.choice(forms)(name)  # type: ignore[no-any-return]


CONDITIONS = ("", "n > 50", "n is null or city = 'Ulm'", "id like '1%'", "n % 3 = 0 and city <> 'Ulm'")


def dirty(project: Project, rng: random.Random) -> list[Audience]:
    """Audiences over rows in all spellings, with lists in all spellings."""
    rows = [
        f"{written(rng)},{rng.randrange(30)},{rng.choice(['', '3', '60'])},{rng.choice(['Ulm', 'Bonn'])}"
        for _ in range(200)
    ]
    project.write("a.csv", "email,id,n,city\n" + "\n".join(rows) + "\n")
    for name in ("mail", "more"):
        project.write(f"{name}.csv", "email\n" + "".join(f"{written(rng)}\n" for _ in range(6)))
    project.write("ids.csv", "id\n3\n14\n")
    lists = [Exclusion((f"{one}.csv",), ((EMAIL, "email"),), PLACE) for one in ("mail", "more")]
    lists.append(Exclusion(("ids.csv",), ((CUSTOMER, "id"),), PLACE))
    return [
        audience(
            f"a{n}",
            "a.csv",
            where=rng.choice(CONDITIONS),
            exclusion_lists=tuple(rng.sample(lists, rng.randrange(4))),
            guards=Guards(max_invalid=1.0),
        )
        for n in range(12)
    ]


@pytest.mark.parametrize("sample_rows", [None, 20])
@pytest.mark.parametrize("seed", range(5))
def test_an_audience_is_the_same_alone_and_among_others(project, seed, sample_rows):
    """Members, drops, and whatever lists found: to the last digest. Every other audience is built alone."""
    wanted = dirty(project, random.Random(seed))  # noqa: S311 - seeded
    kinds = ((EMAIL, Hashing.SHA256), (EMAIL, Hashing.MD5), (CUSTOMER, Hashing.NONE))
    with engine_of(project, sample_rows) as engine:
        built, _ = together(engine, wanted, *kinds)
        for one in wanted[seed % 2 :: 2]:
            alone = build(engine, one, kinds)
            assert built[one.name] == alone
            for target in alone.values():
                assert len(look(engine, target.members)) == target.members.count
                assert len(look(engine, target.suppressed)) == target.suppressed.count


def test_staged_files_are_private_and_removed_with_the_run(project):
    project.write("a.csv", "email,id\na@x.com,1\nb@x.com,2\n")
    with engine_of(project) as engine:
        together(engine, [audience("x", "a.csv"), audience("y", "a.csv", where="id = '1'")], SHA256)
        staged = [one for one in project.work.rglob("*") if one.is_file()]
        assert staged
        assert all(one.stat().st_mode & 0o077 == 0 for one in staged)
        tables = engine._database.execute("SELECT count(*) FROM duckdb_tables()").fetchone()
        assert tables == (0,)
    assert list(project.work.iterdir()) == []
