"""The erasure list of a state: keyed digests of identifiers that must not be members again. No I/O.

Each form in which an identifier can be written has a digest of its own, so that a plain value, its MD5 and
its SHA-256 are recognised. The keys are a chain: a rotation adds a key, and digests the digests with it.
"""

import hmac
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from reconciler.core.canonical_json import canonical_digest
from reconciler.core.damaged_values import md5, sha256
from reconciler.core.errors import StorageError
from reconciler.core.identifiers import normalize
from reconciler.core.model import Address, Hashing, IdentifierType

KEY_LENGTH = 32
FORMS = (Hashing.NONE, Hashing.MD5, Hashing.SHA256)
"""How an identifier can be known: plain, or as one of these digests."""
Form = tuple[IdentifierType, str]
"""A type, and an identifier as it is written in some hashing."""


@dataclass(frozen=True, slots=True)
class ErasedType:
    """The erased identifiers of one type. `known` states how they were given: plain, MD5 or SHA-256."""

    identifier_type: IdentifierType
    known: tuple[Hashing, ...]
    digests: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ErasedPlace:
    """A segment or a list that held erased members when the erasure was requested."""

    address: Address
    segment_id: str
    members: int
    versions: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ErasureRequest:
    """One run of `erase`. `lines` are the digests of its input, `places` held them.

    `completed_at` is None until Criteo acknowledged all removals and no snapshot holds them.
    """

    requested_at: datetime
    lines: tuple[tuple[str, ...], ...]
    places: tuple[ErasedPlace, ...]
    completed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Erasures:
    """What is stored of all erasures: no identifier. `keys` of the key file are used for the digests."""

    keys: int = 0
    erased: tuple[ErasedType, ...] = ()
    requests: tuple[ErasureRequest, ...] = ()


@dataclass(frozen=True, slots=True)
class ErasureList:
    """The erasures of a state with their keys, the oldest first."""

    content: Erasures = Erasures()
    keys: tuple[bytes, ...] = field(default=(), repr=False)

    def __bool__(self) -> bool:
        return bool(self.content.erased)

    @property
    def is_pending(self) -> bool:
        """Return whether an erasure is not complete."""
        return any(one.completed_at is None for one in self.content.requests)

    @property
    def fingerprint(self) -> str:
        """Return a digest of what the list decides; "" for an empty list."""
        if not self:
            return ""
        return canonical_digest(
            {one.identifier_type: [*one.known, *one.digests] for one in self.content.erased}
        )

    def of_type(self, identifier_type: IdentifierType) -> ErasedType | None:
        return next((one for one in self.content.erased if one.identifier_type == identifier_type), None)

    def digest(self, form: Form) -> str:
        """Return the keyed digest of one form."""
        value = f"{form[0]}:{form[1]}".encode()
        for key in self.keys:
            value = hmac.digest(key, value, "sha256")
        return value.hex()

    def holds(self, identifier_type: IdentifierType, hashing: Hashing, member: str) -> bool:
        """Return whether a member, as written in this hashing, is on the list."""
        found = self.of_type(identifier_type)
        digests = frozenset(found.digests) if found else frozenset()
        return any(self.digest((identifier_type, one)) in digests for one in _probes(hashing, member))


NO_ERASURES = ErasureList()


def _probes(hashing: Hashing, member: str) -> Iterable[str]:
    """Return the member, and what else it would be listed as if the list were hashed."""
    if hashing is Hashing.NONE:
        return (member, md5(member), sha256(member), sha256(md5(member)))
    return (member, sha256(member)) if hashing is Hashing.MD5 else (member,)


def known_as(text: str, identifier_type: IdentifierType, country: str = "") -> tuple[Hashing, str] | None:
    """Return how an identifier is known, and its canonical value; None if it is not of this type."""
    for hashing in FORMS:
        if value := normalize(text, identifier_type, hashing, country).value:
            return hashing, value
    return None


def forms(known: Hashing, value: str) -> tuple[str, ...]:
    """Return each way in which a list or a segment may write an identifier."""
    return tuple(dict.fromkeys(_probes(known, value)))


def added(
    before: ErasureList, values: Mapping[IdentifierType, Collection[str]], countries: Collection[str]
) -> ErasureList:
    """Return the list with these values, as plain text or as digests. The list needs a key."""
    found: dict[IdentifierType, set[str]] = defaultdict(set)
    ways: dict[IdentifierType, set[Hashing]] = defaultdict(set)
    for one in before.content.erased:
        found[one.identifier_type] |= {*one.digests}
        ways[one.identifier_type] |= {*one.known}
    for identifier_type, given in values.items():
        for text in given:
            for known, value in _known(text, identifier_type, countries):
                ways[identifier_type].add(known)
                found[identifier_type] |= {
                    before.digest((identifier_type, form)) for form in forms(known, value)
                }
    erased = tuple(
        ErasedType(one, tuple(sorted(ways[one])), tuple(sorted(found[one]))) for one in sorted(found)
    )
    return replace(before, content=replace(before.content, keys=len(before.keys), erased=erased))


def line_digests(keyed: ErasureList, text: str, countries: Collection[str]) -> tuple[str, ...]:
    """Return the digests of a line of input: one for each type that it may be."""
    known = {one for kind in IdentifierType for one in _typed(text, kind, countries)}
    return tuple(sorted(map(keyed.digest, known)))


def _typed(text: str, kind: IdentifierType, countries: Collection[str]) -> Iterable[Form]:
    return ((kind, value) for _, value in _known(text, kind, countries))


def _known(text: str, kind: IdentifierType, countries: Collection[str]) -> frozenset[tuple[Hashing, str]]:
    found = (known_as(text, kind, country) for country in {"", *countries})
    return frozenset(one for one in found if one)


def rotated(before: ErasureList, key: bytes) -> ErasureList:
    """Return the list under one more key. Without that key, the earlier keys don't open it any more."""

    def again(digests: Sequence[str]) -> tuple[str, ...]:
        return tuple(hmac.digest(key, bytes.fromhex(one), "sha256").hex() for one in digests)

    content = before.content
    return ErasureList(
        Erasures(
            keys=len(before.keys) + 1,
            erased=tuple(replace(one, digests=tuple(sorted(again(one.digests)))) for one in content.erased),
            requests=tuple(
                replace(one, lines=tuple(tuple(sorted(again(line))) for line in one.lines))
                for one in content.requests
            ),
        ),
        (*before.keys, key),
    )


def merged(here: ErasureList, other: ErasureList) -> ErasureList:
    """Return both lists as one. StorageError if neither has the keys of the other."""
    longer, shorter = (here, other) if len(here.keys) >= len(other.keys) else (other, here)
    if longer.keys[: len(shorter.keys)] != shorter.keys:
        raise StorageError(
            "the erasure lists here and in the file have different keys, and can't be joined",
            remedy="import into the place that the erasures were made in, or put back its erasure.json and "
            "erasure.key from a backup",
        )
    for key in longer.keys[len(shorter.keys) :]:
        shorter = rotated(shorter, key)
    found: dict[IdentifierType, ErasedType] = {one.identifier_type: one for one in longer.content.erased}
    for one in shorter.content.erased:
        same = found.get(one.identifier_type, ErasedType(one.identifier_type, (), ()))
        found[one.identifier_type] = ErasedType(
            one.identifier_type,
            tuple(sorted({*same.known, *one.known})),
            tuple(sorted({*same.digests, *one.digests})),
        )
    requests = {one.requested_at: one for one in (*shorter.content.requests, *longer.content.requests)}
    return ErasureList(
        Erasures(
            keys=len(longer.keys),
            erased=tuple(found[one] for one in sorted(found)),
            requests=tuple(requests[one] for one in sorted(requests)),
        ),
        longer.keys,
    )


def requested(before: ErasureList, request: ErasureRequest) -> ErasureList:
    content = before.content
    return replace(before, content=replace(content, requests=(*content.requests, request)))


def completed(before: ErasureList, now: datetime) -> ErasureList:
    """Return the list with all its requests complete."""
    requests = tuple(
        one if one.completed_at else replace(one, completed_at=now) for one in before.content.requests
    )
    return replace(before, content=replace(before.content, requests=requests))
