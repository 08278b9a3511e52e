"""Members and secrets that exist nowhere else, and every trace that would reveal one.

A trace is found whatever the case it is written in, percent-encoded, as JSON or as a Python repr: it is
a part of the value that none of these changes. Digests, what `repr` and DuckDB make of their bytes, and
Base64 (as in a `Basic` header) are traces of their own.
"""

import base64
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from urllib.parse import quote

STEM = "zqfinch"
"""Begins the name of every person, and stands in no word of ours."""
ENOUGH = 12
"""Characters of a digest or a secret that give it away."""
SECRETS = (
    "client_id",
    "client_secret",
    "token",
    "code",
    "refresh_token",
    "sealing_key",
    "snapshot_key",
    "proxy_user",
    "proxy_password",
)
FIRST_DIGITS = 77_100_200_300_400_000
HASHES = {
    "md5": lambda text: hashlib.md5(text, usedforsecurity=False).digest(),
    "sha256": lambda text: hashlib.sha256(text).digest(),
    "sha256-of-md5": lambda text: hashlib.sha256(
        hashlib.md5(text, usedforsecurity=False).hexdigest().encode()
    ).digest(),
}


@dataclass(frozen=True)
class Person:
    """A row of a source."""

    email: str
    customer: str
    phone: str


@dataclass(frozen=True)
class Markers:
    """`people` are valid members, `misfits` are invalid; the rest are secrets.

    `made` are values made while commands ran, by kind.
    """

    people: tuple[Person, ...]
    misfits: tuple[Person, ...]
    hashes: tuple[str, ...]
    client_id: str = "6b1f0c9e8d7a4b5c9f3e2d1c0b9a8f7e"
    client_secret: str = "Zq/fa+lc0n=&9xW_vU7tS3rQ1pO5nM8kJ6hG4fD2"
    token: str = "zqEagle_-7Yb2Xc4Vd6Ue8Tf0Sg1Rh3Qi5Pj7Ok9Nl"
    code: str = "zqWren-4kM2pQ8sT6vX0zB1dF3gH5jK7lN9"
    refresh_token: str = "zqPlover_Ac1eG3iK5mO7qS9uW0yB2dF4hJ6lN8"
    sealing_key: str = "c1dhbGxvdy/+q3ftxL9aR0pOzm7Kd2vQ5yHnU8bTgWI="
    snapshot_key: str = "Zm9ybm9vbmUvK3BhcnRyaWRnZSt3b29kY29ja3N6cTI="
    signing_key: bytes = field(default=hashlib.sha256(b"a marker's own").digest(), repr=False)
    proxy_user: str = "zqkestrel"
    proxy_password: str = "zqheron5w0rd"
    issued: tuple[str, ...] = ()
    made: tuple[tuple[str, str], ...] = ()

    @cached_property
    def traces(self) -> Mapping[bytes, str]:
        """Return the texts to search for, in lower case, with the kind of their value."""
        found: dict[bytes, str] = {STEM.encode(): "a person", STEM[::-1].encode(): "a person, reversed"}
        for one in (*self.people, *self.misfits):
            found |= dict.fromkeys(_of_person(one), "a person")
        for hashed in self.hashes:
            found |= dict.fromkeys(_of_digest(bytes.fromhex(hashed)), "a hash")
            found |= dict.fromkeys(_of_digest(hashlib.sha256(hashed.lower().encode()).digest()), "a hash")
        pairs = (f"{self.client_id}:{self.client_secret}", f"{self.proxy_user}:{self.proxy_password}")
        for pair in pairs:
            found |= dict.fromkeys(_of_secret(pair), "a Basic header")
        for what in SECRETS:
            found |= dict.fromkeys(_of_secret(getattr(self, what)), what)
        for what, value in self.made:
            found |= dict.fromkeys(_of_secret(value), what)
        for what, key in (
            ("signing_key", self.signing_key),
            ("sealing_key", base64.b64decode(self.sealing_key)),
            ("snapshot_key", base64.b64decode(self.snapshot_key)),
        ):
            found |= dict.fromkeys(_of_digest(key), what)
        for issued in self.issued:
            found |= dict.fromkeys(_of_secret(issued), "a secret of the emulator")
        return {trace.lower(): what for trace, what in found.items()}

    def found_in(self, said: bytes) -> set[str]:
        """Return the kinds of values found; never a value."""
        lowered = said.lower()
        return {what for trace, what in self.traces.items() if trace in lowered}


def _of_person(one: Person) -> Iterator[bytes]:
    yield from (digits for digits in (one.customer.encode(),) if digits)
    yield one.phone.lstrip("+0").encode() or STEM.encode()
    for text in (one.email, one.email.lower(), one.email.strip().lower(), one.customer, one.phone):
        for hashed in HASHES.values():
            yield from _of_digest(hashed(text.encode()))


def _of_digest(digest: bytes) -> Iterator[bytes]:
    yield digest.hex()[:ENOUGH].encode()
    yield digest[: ENOUGH // 2]
    yield repr(digest)[2:][:ENOUGH].encode()
    yield "".join(f"\\x{byte:02x}" for byte in digest[:4]).encode()
    yield base64.b64encode(digest)[:ENOUGH]
    yield base64.urlsafe_b64encode(digest)[:ENOUGH]


def _of_secret(secret: str) -> Iterator[bytes]:
    """Return the value as plain text, form-encoded, and as any part of a Base64 text."""
    yield secret[:ENOUGH].encode()
    yield quote(secret, safe="")[:ENOUGH].encode()
    yield secret[-ENOUGH:].encode()
    for offset in range(3):
        encoded = base64.b64encode(b"\0" * offset + secret.encode())
        yield encoded[4 if offset else 0 :][:ENOUGH]


def _hash(name: str, text: str) -> str:
    return HASHES[name](text.encode()).hex()


def _person(number: int, pattern: str = "{stem}{number}@example.com") -> Person:
    digits = FIRST_DIGITS + number
    return Person(
        pattern.format(stem=STEM, number=number), f"{digits}", f"+4917{digits % 10_000_000 + 70_000_000}"
    )


def _people(patterns: Iterable[str], first: int) -> tuple[Person, ...]:
    return tuple(_person(first + at, pattern) for at, pattern in enumerate(patterns))


SENT = (
    *["{stem}{number}@example.com"] * 36,
    "{stem}{number}+tag.box@example.co.uk",
    "  {stem}{number}.blank@example.com ",
    "ZQFINCH{number}.UPPER@EXAMPLE.COM",
)
UNSENT = (
    "{stem}{number}é@exämple.com",
    "{stem}{number}.example.com",
    "{stem}{number}@@example.com",
    "{stem} {number}@example.com",
    "{stem}{number}@localhost",
    "{stem}{number}'; drop table people; --@example.com",
    "{stem}{number}[bold]@example.com",
    "😀{stem}{number}@example.com",
    "{stem}{number}" + "x" * 300 + "@example.com",
)
KEBAB = Person(f"{STEM}.kebab@example.com", f"{STEM}-in-letters", "+4917955550000")
"""Her customer id is written as Criteo writes codes."""
MARKERS = Markers(
    people=(KEBAB, *_people(SENT, 100)),
    misfits=_people(UNSENT, 900),
    hashes=tuple(
        hashed
        for at, name in enumerate(HASHES)
        for hashed in (_hash(name, f"{STEM}-hashed-{at}"), _hash(name, f"{STEM}-upper-{at}").upper())
    ),
)
