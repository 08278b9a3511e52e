"""`core.identifiers` in SQL: the same classes, flaws and forms, tested equal to it."""

from collections.abc import Iterator, Mapping
from enum import IntEnum
from itertools import zip_longest

from reconciler.core import damaged_values as damaged
from reconciler.core import identifiers as rules
from reconciler.core import phone_numbers
from reconciler.core.members import DropReason
from reconciler.core.model import Hashing, IdentifierType
from reconciler.core.phone_numbers import NumberingPlan
from reconciler.members import phone_sql
from reconciler.members.database import literal


class Class(IntEnum):
    """What a value turned out to be; malformed values are numbered on from FLAWED, one per flaw."""

    PLAIN = 0
    MD5 = 1
    SHA256 = 2
    EMPTY = 3
    FLAWED = 4


FLAWS = (
    damaged.HASH_OF_MISSING,
    damaged.MISSING,
    damaged.ZEROS,
    damaged.SCIENTIFIC,
    damaged.DECIMAL,
    rules.INNER_BLANK,
    rules.NOT_ASCII,
    rules.CONTROL,
    rules.TOO_LONG,
    rules.NO_AT,
    rules.TWO_ATS,
    rules.NO_LOCAL,
    rules.BAD_CHARACTER,
    rules.NO_ENDING,
    rules.MISPLACED,
    rules.OPTIONAL_ZERO,
    rules.NOT_A_NUMBER,
    rules.NOT_NATIONAL,
    rules.NO_COUNTRY,
    rules.WRONG_LENGTH,
)

USABLE: dict[Hashing, tuple[Class, ...]] = {
    Hashing.NONE: (Class.PLAIN,),
    Hashing.MD5: (Class.PLAIN, Class.MD5),
    Hashing.SHA256: (Class.PLAIN, Class.SHA256),
    Hashing.SHA256_OF_MD5: (Class.PLAIN, Class.MD5, Class.SHA256),
}
"""Which classes can be written in a hashing."""


def drop(found: int, hashing: Hashing) -> DropReason | None:
    """Why a value of this class is not a member in this hashing."""
    if found >= Class.FLAWED:
        return DropReason.MALFORMED
    if found == Class.EMPTY:
        return DropReason.EMPTY
    return None if found in USABLE[hashing] else DropReason.OTHER_HASHING


def classified(
    relation: str, kinds: Mapping[str, IdentifierType], keep: str, countries: Mapping[str, str]
) -> str:
    """`relation` with each text column X of `kinds` followed by `X_cut`, `X_class` and `X_value`.

    Every step stands in a query of its own, so that DuckDB computes it once. An address that is
    fine as it stands, which most are, costs one regular expression. `keep` are columns to pass on,
    `countries` say of columns where phone numbers without a country code are written.
    """
    query = relation
    by_column = [tuple(_steps(x, kind, _plan(countries.get(x, "")))) for x, kind in kinds.items()]
    for steps in zip_longest(*by_column, fillvalue={}):
        added = [f"{text} AS {column}" for step in steps for column, text in step.items()]
        query = f"(SELECT {', '.join(['*', *added])} FROM {query})"
    columns = ", ".join(f"{x}_cut, {x}_class, {x}_value" for x in kinds)
    return f"(SELECT {keep}, {columns} FROM {query})"


def _plan(country: str) -> NumberingPlan | None:
    return phone_numbers.numbering_plan(country) if country else None


def _steps(x: str, kind: IdentifierType, plan: NumberingPlan | None) -> Iterator[dict[str, str]]:
    """The columns to compute for X, by step: a step may use those before it."""
    if kind == IdentifierType.EMAIL:
        yield {f"{x}_shaped": _matches(x, rules.EMAIL)}
    yield {f"{x}_cut": _cut(x, kind)}
    if kind == IdentifierType.PHONE_NUMBER:
        yield from phone_sql.steps(x, plan)
    yield {f"{x}_class": _class(x, kind, plan)}
    yield {f"{x}_value": _value(x, kind)}


def _cut(x: str, kind: IdentifierType) -> str:
    edges = literal(f"^[{rules.BLANKS}]+|[{rules.BLANKS}]+$")
    trimmed = f"regexp_replace({x}, {edges}, '', 'g')"  # four times as fast as trim() with a set
    if kind == IdentifierType.EMAIL:
        return f"CASE WHEN {x}_shaped THEN {x} ELSE {trimmed} END"
    clean = f"{x}[1] BETWEEN '!' AND '~' AND {x}[-1] BETWEEN '!' AND '~'"
    return f"CASE WHEN {clean} THEN {x} ELSE {trimmed} END"


def _class(x: str, kind: IdentifierType, plan: NumberingPlan | None) -> str:
    cut = f"{x}_cut"
    empty = (f"{cut} IS NULL OR {cut} = ''", Class.EMPTY)
    hexadecimal = _matches(cut, damaged.HASH)
    md5 = (f"strlen({cut}) = {damaged.MD5_DIGITS} AND {hexadecimal}", Class.MD5)
    sha256 = (f"strlen({cut}) = {damaged.SHA256_DIGITS} AND {hexadecimal}", Class.SHA256)
    match kind:
        case IdentifierType.EMAIL:
            short = f"strlen({cut}) <= {rules.LONGEST_LOCAL}"
            fine = (
                (f"{x}_shaped AND {short}", Class.PLAIN),
                (f"{short} AND {_matches(cut, rules.EMAIL)}", Class.PLAIN),
            )
            cases = (*fine, empty, *_damages(cut), md5, sha256, *_email_flaws(cut))
        case IdentifierType.PHONE_NUMBER:
            cases = (empty, *_damages(cut), md5, sha256, *_phone_flaws(cut, f"{x}_bare", plan))
        case _:
            cases = (empty, *_damages(cut), *_text_flaws(cut))
    whens = " ".join(f"WHEN {test} THEN {int(number)}" for test, number in cases)
    return f"(CASE {whens} ELSE {int(Class.PLAIN)} END)::UTINYINT"


def _value(x: str, kind: IdentifierType) -> str:
    """The canonical value, a digest in lower case, or NULL."""
    hashes = f"{int(Class.MD5)}, {int(Class.SHA256)}"
    match kind:
        case IdentifierType.EMAIL:
            value = f"WHEN {x}_class <= {int(Class.SHA256)} THEN lower({x}_cut)"
        case IdentifierType.PHONE_NUMBER:
            value = f"WHEN {x}_class = 0 THEN {x}_bare WHEN {x}_class IN ({hashes}) THEN lower({x}_cut)"
        case _:
            value = f"WHEN {x}_class = 0 THEN {x}_cut"
    return f"CASE {value} END"


def _damages(cut: str) -> tuple[tuple[str, int], ...]:
    """Cheap tests of the length come first: few values are that short, or a hash."""
    hashes = ", ".join(map(literal, sorted(damaged.HASHES_OF_MISSING)))
    length = f"strlen({cut})"
    hashed = f"{length} IN ({damaged.MD5_DIGITS}, {damaged.SHA256_DIGITS}) AND lower({cut}) IN ({hashes})"
    return (
        _flaw(damaged.HASH_OF_MISSING, hashed),
        _flaw(damaged.MISSING, f"{length} <= {damaged.LONGEST_WORD} AND {_matches(cut, damaged.WORDS)}"),
        _flaw(damaged.ZEROS, f"starts_with({cut}, '00000000') AND {_matches(cut, damaged.ALL_ZEROS)}"),
        _flaw(damaged.SCIENTIFIC, _matches(cut, damaged.SCIENTIFIC_NUMBER)),
        _flaw(damaged.DECIMAL, _matches(cut, damaged.DECIMAL_NUMBER)),
    )


def _email_flaws(cut: str) -> tuple[tuple[str, int], ...]:
    at = f"instr({cut}, '@')"
    long = f"length({cut}) > {rules.LONGEST_EMAIL} OR {at} > {rules.LONGEST_LOCAL + 1}"
    return (
        _flaw(rules.INNER_BLANK, _matches(cut, rules.BLANK_INSIDE)),
        _flaw(rules.NOT_ASCII, _matches(cut, rules.NOT_ASCII_INSIDE)),
        _flaw(rules.CONTROL, _matches(cut, rules.CONTROL_INSIDE)),
        _flaw(rules.TOO_LONG, long),
        _flaw(rules.NO_AT, f"{at} = 0"),
        _flaw(rules.TWO_ATS, _matches(cut, rules.TWO_ATS_INSIDE)),
        _flaw(rules.NO_LOCAL, f"{at} = 1"),
        _flaw(rules.BAD_CHARACTER, f"NOT {_matches(cut, rules.EMAIL_CHARACTERS)}"),
        _flaw(rules.NO_ENDING, f"NOT {_matches(cut, rules.ENDED)}"),
        _flaw(rules.MISPLACED, f"NOT {_matches(cut, rules.EMAIL)}"),
    )


def _phone_flaws(cut: str, bare: str, plan: NumberingPlan | None) -> tuple[tuple[str, int], ...]:
    national = _matches(bare, phone_numbers.DIGITS) if plan else "false"
    return (
        _flaw(rules.OPTIONAL_ZERO, _matches(cut, rules.TRUNK_ZERO)),
        _flaw(rules.NOT_A_NUMBER, f"NOT {_matches(bare, rules.PHONE_CHARACTERS)}"),
        _flaw(rules.NOT_NATIONAL, national),
        _flaw(rules.NO_COUNTRY, f"NOT {_matches(bare, rules.INTERNATIONAL)}"),
        _flaw(rules.WRONG_LENGTH, f"NOT {_matches(bare, rules.PHONE)}"),
    )


def _text_flaws(cut: str) -> tuple[tuple[str, int], ...]:
    return (
        _flaw(rules.TOO_LONG, f"length({cut}) > {rules.LONGEST_TEXT}"),
        _flaw(rules.CONTROL, _matches(cut, rules.CONTROL_INSIDE)),
    )


def _flaw(flaw: str, test: str) -> tuple[str, int]:
    return test, Class.FLAWED + FLAWS.index(flaw)


def _matches(x: str, pattern: str) -> str:
    return f"regexp_full_match({x}, {literal(pattern)})"


def usable(found: str) -> str:
    """Whether a class is one of values that can be written in some hashing."""
    return f"{found} IN ({int(Class.PLAIN)}, {int(Class.MD5)}, {int(Class.SHA256)})"


def member(value: str, found: str, hashing: Hashing) -> str:
    """A usable value as a snapshot holds it: the bytes of a digest, or text."""
    if hashing == Hashing.NONE:
        return value
    if hashing == Hashing.MD5:
        return f"unhex(CASE {found} WHEN {int(Class.PLAIN)} THEN md5({value}) ELSE {value} END)"
    plain = value if hashing == Hashing.SHA256 else f"md5({value})"
    return (
        f"unhex(CASE {found} WHEN {int(Class.PLAIN)} THEN sha256({plain}) "
        f"WHEN {int(Class.MD5)} THEN sha256({value}) ELSE {value} END)"
    )


def keys(listed: str, more: str = "") -> str:
    """All values by which the people of a list (`value`, `class`) may be recognised, one a row.

    `more` are columns to pass on.
    """
    plain, md5 = int(Class.PLAIN), int(Class.MD5)
    passed = f", {more}" if more else ""
    return (
        f"SELECT value AS key{passed} FROM {listed} UNION "
        f"SELECT md5(value){passed} FROM {listed} WHERE class = {plain} UNION "
        f"SELECT sha256(value){passed} FROM {listed} WHERE class IN ({plain}, {md5}) UNION "
        f"SELECT sha256(md5(value)){passed} FROM {listed} WHERE class = {plain}"
    )


def listed(value: str, found: str, keyed: str, classes: frozenset[int]) -> str:
    """Whether a classified value is on a list that holds values of `classes`, in whichever hashing.

    The list's keys hold every digest of its plain values; what is left to try are the digests of
    a plain value against a list that came hashed, so they are only computed for such a list.
    """
    keys = f"(SELECT key FROM {keyed})"
    tests = (f"({test} AND {probe} IN {keys})" for probe, test in probes(value, found, classes))
    return f"coalesce({' OR '.join(tests)}, false)"


def probes(value: str, found: str, classes: frozenset[int]) -> Iterator[tuple[str, str]]:
    """What to look up for a value among the keys of a list with these classes, and for which values."""
    yield value, "true"
    if Class.MD5 in classes:
        yield f"md5({value})", f"{found} = {int(Class.PLAIN)}"
    if Class.SHA256 in classes:
        yield f"sha256({value})", f"{found} <= {int(Class.MD5)}"
        yield f"sha256(md5({value}))", f"{found} = {int(Class.PLAIN)}"
