"""Every engine normalizes like `core.identifiers`: same member, same drop, same error."""

import re

import duckdb
import phonenumbers
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from reconciler.core import damaged_values as damaged
from reconciler.core import identifiers as rules
from reconciler.core import phone_numbers
from reconciler.core.identifiers import NormalizedIdentifier, normalize
from reconciler.core.members import DropReason
from reconciler.core.model import HASHINGS, Hashing, IdentifierType
from reconciler.members import identifier_sql as sql

pytestmark = pytest.mark.promise("members")

E164 = phonenumbers.PhoneNumberFormat.E164
KINDS = [(kind, hashing) for kind, forms in HASHINGS.items() for hashing in forms]
UNTRUSTED = (
    "".join(rules.BLANKS)
    + "İıſK\u0130ßΣςÅ\u0301\u00ad\ufeff\x00\x1f\x7f\x9f+-.()/@\"'\\,;<>%_0Aaé😀\U0010ffff"
)

blanks = st.text(st.sampled_from(rules.BLANKS), max_size=3)
words = st.text(st.sampled_from("abcXYZ019.-_+"), max_size=12)
emails = st.builds(
    "{}@{}.{}".format, words, words, st.sampled_from(["com", "Org", "x", "c0m", "de.", "xn--p1ai", ""])
)
hashes = st.builds(
    lambda text, upper: text.upper() if upper else text,
    st.one_of(*(st.text("0123456789abcdef", min_size=n, max_size=n) for n in (31, 32, 33, 63, 64, 65))),
    st.booleans(),
)
phones = st.text(st.sampled_from("0012345678900+ -.()\u2011\u00a0"), max_size=20)
long = st.builds(
    lambda text, n: (text * n)[:300], st.sampled_from(["a", "é", "a@", "ab@x.com"]), st.integers(1, 300)
)
anything = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
untrusted = st.text(st.sampled_from(UNTRUSTED), max_size=12)
damaged_numbers = st.from_regex(
    f"{damaged.SCIENTIFIC_NUMBER}|{damaged.DECIMAL_NUMBER}|{damaged.ALL_ZEROS}", fullmatch=True
)
missing = st.one_of(
    st.from_regex(damaged.WORDS, fullmatch=True), st.sampled_from(sorted(damaged.HASHES_OF_MISSING))
)
near = st.builds(
    "".join,
    st.lists(st.sampled_from(["nul", "l", "NA", "na", "#", "/", "0", "1", "e", "E+", ".0", "-", "?"])),
)
plain = st.one_of(damaged_numbers, missing, near, emails, hashes, phones, long, anything, untrusted)
values = st.builds(lambda a, v, b: a + v + b, blanks, plain, blanks)


@pytest.fixture(scope="module")
def engine():
    with duckdb.connect(":memory:") as connection:
        yield connection


def by_sql(
    engine: duckdb.DuckDBPyConnection,
    texts: list[str],
    kind: IdentifierType,
    hashing: Hashing,
    country: str = "",
) -> list[NormalizedIdentifier]:
    rows = sql.classified("(SELECT unnest(?) AS x)", {"x": kind}, keep="x", countries={"x": country})
    member = sql.member("x_value", "x_class", hashing)
    usable = ", ".join(str(int(one)) for one in sql.USABLE[hashing])
    usable_wire = f"CASE WHEN x_class IN ({usable}) THEN {member} END"
    wire = "wire" if hashing == Hashing.NONE else "lower(hex(wire))"
    query = f"SELECT x_class, {wire} FROM (SELECT x_class, {usable_wire} AS wire FROM {rows})"
    return [read(found, text, hashing) for found, text in engine.execute(query, [texts]).fetchall()]


def read(found: int, wire: str | None, hashing: Hashing) -> NormalizedIdentifier:
    drop = sql.drop(found, hashing)
    flaw = sql.FLAWS[found - sql.Class.FLAWED] if drop is DropReason.MALFORMED else ""
    return NormalizedIdentifier(wire, drop, flaw, hashed=found in (sql.Class.MD5, sql.Class.SHA256))


@settings(max_examples=60, deadline=None)
@given(st.lists(values, min_size=1, max_size=80))
@example(
    [
        "İ@x.com",
        "\u212aelvin@x.com",
        "ſ@x.com",
        "\ufeffa@x.com\u00a0",
        "a\x00b@x.com",
        "\x1fa",
        "A" * 64,
        "f" * 32,
    ]
)
@example(
    [
        "a" * 64 + "@x.com",
        "a" * 65 + "@x.com",
        "a@" + "b" * 248 + ".com",
        "a@" + "b" * 249 + ".com",
        "é" * 256,
        "é" * 257,
    ]
)
@example(["+49 (0) 30 1", "00491234567", "+0000000000", "++49123456789", "(0049)1234567", "", " ", "+"])
def test_sql_equals_python(engine, texts):
    for kind, hashing in KINDS:
        assert by_sql(engine, texts, kind, hashing) == [normalize(text, kind, hashing) for text in texts], (
            kind,
            hashing,
        )


COUNTRIES = sorted(phone_numbers.countries())


def national(country: str) -> st.SearchStrategy[str]:
    """Numbers of a country as people write them, and such as are much like one."""
    plan = phone_numbers.numbering_plan(country)
    number = st.from_regex(re.compile(plan.numbers, re.ASCII), fullmatch=True)
    before = st.sampled_from(
        ["", plan.trunk, "0", "00", "1", "8", plan.code, f"+{plan.code}", f"{plan.code}0"]
    )
    edited = st.builds(
        lambda text, at, digit: text[:at] + digit + text[at:], number, st.integers(0, 12), words
    )
    return st.builds("".join, st.tuples(before, number | edited | phones))


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(COUNTRIES).flatmap(
        lambda one: st.tuples(st.just(one), st.lists(national(one), max_size=30))
    )
)
def test_sql_reads_national_numbers_as_python_does(engine, given):
    country, texts = given
    for hashing in HASHINGS[IdentifierType.PHONE_NUMBER]:
        found = by_sql(engine, texts, IdentifierType.PHONE_NUMBER, hashing, country)
        assert found == [normalize(text, IdentifierType.PHONE_NUMBER, hashing, country) for text in texts]


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from(COUNTRIES).flatmap(
        lambda one: st.tuples(st.just(one), st.lists(national(one), max_size=30))
    )
)
def test_a_national_number_is_never_read_otherwise_than_the_library_reads_it(given):
    country, texts = given
    for digits in filter(str.isdecimal, texts):
        ours = phone_numbers.international(digits, country)
        assert ours in ("", by_library(digits, country) or ours)
        assert not ours or phonenumbers.is_valid_number(phonenumbers.parse(ours))


def by_library(digits: str, country: str) -> str:
    try:
        number = phonenumbers.parse(digits, country)
    except phonenumbers.NumberParseException:
        return ""
    return phonenumbers.format_number(number, E164) if phonenumbers.is_valid_number(number) else ""
