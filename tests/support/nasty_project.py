"""Identifiers that engines disagree on: blanks, letters that change when lowered, marks, zeros."""

from pathlib import Path

from support.source_project import CUSTOMER, EMAIL, Project, make, md5, sha256

from reconciler.core.model import Hashing

KINDS = ((EMAIL, Hashing.SHA256), (EMAIL, Hashing.NONE), (EMAIL, Hashing.MD5), (CUSTOMER, Hashing.NONE))
NASTY = (
    "anna@example.com",
    " ANNA@example.com\t",
    "\u00a0anna@example.com\u00a0",
    "\u0130ris@example.com",
    "odysseu\u03a3@example.com",
    "Ro\u0308mer@example.com",
    "\U0001f600@example.com",
    "nul\0byte@example.com",
    md5("bert@example.com"),
    sha256("bert@example.com"),
    sha256(md5("carl@example.com")).upper(),
    "bert@example.com",
    "carl@example.com",
    "",
    "null",
    "not an address",
    *(f"person{number}@example.com" for number in range(50)),
)
"""Some people are there plain and as each digest."""
IDS = (
    "id\t7",
    "id\u00a07",
    "\u0130D",
    "\u03a3\u03c3\u03c2",
    "e\u0301",
    "\u00e9",
    "\U0001f600",
    "a\0b",
    " 7 ",
    "7",
)


DIRTY = (
    "upper(e)",
    "' ' || e || chr(9)",
    "chr(160) || e",
    "md5(e)",
    "sha256(e)",
    "upper(sha256(md5(e)))",
    "''",
    "replace(e, '@', ' ')",
    "chr(304) || e",
    "chr(931) || e",
    "'e' || chr(769) || e",
    "chr(128512) || e",
    "'nul' || chr(0) || e",
)
"""What exports do to an address."""


def nasty_project(folder: Path, more: int = 0) -> Project:
    """Four files, a condition, two lists and two erased people; `more` rows in 16 other files."""
    made = make(folder)
    for number in range(4):
        people = NASTY[number:] + NASTY[:9]
        rows = ", ".join(
            f"({_sql(one)}, {_sql(IDS[at % len(IDS)]) if at % 7 else 'NULL'}, {at})"
            for at, one in enumerate(people)
        )
        made.parquet(f"{number}.parquet", f"SELECT * FROM (VALUES {rows}) AS v(email, id, visits)")
    cases = " ".join(f"WHEN {at} THEN {one}" for at, one in enumerate(DIRTY))
    for number in range(16 if more else 0):
        rows = f"range({more * number // 16}, {more * (number + 1) // 16}) AS r(i)"
        people = f"(SELECT i, 'person' || (i * 7 % {more // 2}) || '@example.com' AS e FROM {rows})"
        made.parquet(
            f"more{number}.parquet",
            f"SELECT CASE i % 20 {cases} ELSE e END AS email, 'id' || chr(160) || (i // 2) AS id, "
            f"(i % 50)::INTEGER AS visits FROM {people}",
        )
    listed = ["person3@example.com", sha256("anna@example.com"), md5("carl@example.com")]
    made.write("out.csv", "\n".join(["email", *listed, ""]))
    made.write("ids.csv", "id\n\u00e9\n")
    made.reads("*.parquet", where="visits <> 20").excludes("out.csv").excludes("ids.csv", CUSTOMER, "id")
    return made.erases(EMAIL, "person4@example.com").erases(CUSTOMER, "e\u0301")


def _sql(text: str) -> str:
    """A text in SQL, whatever is in it."""
    return " || ".join(f"chr({ord(one)})" for one in text) or "''"
