"""Errors of jsonschema in our words. Its own messages quote values, so none of them is used."""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from reconciler.core.model import SourceLocation
from reconciler.manifests import schema
from reconciler.manifests.suggestions import choices, label, nearest
from reconciler.manifests.syntax.nodes import Issue, IssueRank, ManifestDocument, PathStep

if TYPE_CHECKING:
    from jsonschema import ValidationError

_START, _GROUP = re.compile("[1-9][0-9]{0,2}"), re.compile("[0-9]{3}")
_ABOUT_KEYS = frozenset({"additionalProperties", "required", "uniqueItems"})
_TYPES = {
    "object": ("a mapping (`key: value`)", "write its keys below it, indented, or in { }"),
    "array": ("a list", "write `- item` lines below it, or [item, item]"),
    "string": ("text", "write it as text, in quotes if it is true, false or null"),
    "boolean": ("true or false", "write true or false, without quotes"),
}

# Keys that changed their name before the first release. To be removed after it.
RENAMED = {"form": "hashing", "quiet": "gracePeriod", "maxVanished": "maxMissing"}


class _Error(NamedTuple):
    """An error of jsonschema without its message."""

    document: ManifestDocument
    path: tuple[PathStep, ...]
    keyword: str
    wanted: Any
    given: Any
    part: dict[str, Any]
    of_key: bool

    @property
    def place(self) -> SourceLocation:
        return self.document.place(*self.path)

    @property
    def subject(self) -> str:
        return _subject(self.path)


def validate(document: ManifestDocument) -> tuple[list[Issue], ManifestDocument]:
    """All that the schema of the document's kind has against it, and the document without those values."""
    if schema.accepts(document.kind, document.root.value):
        return [], document
    narrowest: dict[tuple[PathStep, ...], _Error] = {}
    others: list[_Error] = []
    for found in schema.validator(document.kind).iter_errors(document.root.value):
        error = _error(document, found)
        if error.keyword == "enum":
            other = narrowest.setdefault(error.path, error)
            narrowest[error.path] = min(other, error, key=lambda one: len(one.wanted))
        else:
            others.append(error)
    errors = [*others, *narrowest.values()]
    wrong = [
        error.path for error in errors if error.path and error.keyword not in _ABOUT_KEYS and not error.of_key
    ]
    flaws = [flaw for error in errors for flaw in _TELLERS.get(error.keyword, _tell_otherwise)(error)]
    return flaws, document.without(wrong)


def of_unknown_kind(document: ManifestDocument) -> Issue:
    """Return the finding about a document without a known kind."""
    value = document.root.value
    if not isinstance(value, dict):
        remedy = f"begin it with `kind:`, one of {', '.join(schema.KINDS)}"
        return _flaw(document.place(), "a manifest is a mapping (`key: value`)", remedy)
    if "kind" in value:
        problem = "`kind` has no value" if value["kind"] is None else "unknown kind"
        return _flaw(document.place("kind"), problem, choices(document.kind, schema.KINDS))
    near = next((key for key in value if nearest(key, ["kind"])), "")
    if near:
        return _flaw(document.key_place(near), f"unknown key {label(near)}", "did you mean `kind`?")
    remedy = f"add `kind:`, one of {', '.join(schema.KINDS)}"
    return _flaw(document.place(), "a document without `kind`", remedy)


def _error(document: ManifestDocument, found: "ValidationError") -> _Error:
    return _Error(
        document=document,
        path=tuple(found.absolute_path),
        keyword=str(found.validator),
        wanted=found.validator_value,
        given=found.instance,
        part=found.schema if isinstance(found.schema, dict) else {},
        of_key="propertyNames" in found.absolute_schema_path,
    )


def _subject(path: tuple[PathStep, ...]) -> str:
    """Return the subject of a finding: the key, or the item of a list under a key."""
    if not path:
        return "this manifest"
    if isinstance(path[-1], int):
        return f"item {path[-1] + 1} of {_subject(path[:-1])}"
    return label(path[-1])


def _tell_unknown(error: _Error) -> Iterator[Issue]:
    known = error.part.get("properties", {})
    before = ""
    for key in error.given:
        number, before = _with_comma(before, key, error.given), key
        if number:
            place = error.document.key_place(*error.path, key)
            yield _flaw(place, "a comma in a number ends it", f"write {number}, without a comma")
        elif key not in known:
            renamed = RENAMED.get(key)
            if renamed in known:
                place = error.document.key_place(*error.path, key)
                yield _flaw(place, f"`{key}` is now `{renamed}`", f"rename the key to `{renamed}`")
                continue
            remedy = _home(error.document.kind, key) or _other_kind(key, known) or choices(key, known)
            yield _flaw(error.document.key_place(*error.path, key), f"unknown key {label(key)}", remedy)


def _with_comma(before: str, key: str, given: dict[str, Any]) -> str:
    """`{rows: 1,000}` is `rows: 1` and a key without a value to YAML. What was meant, if it is that."""
    start = given.get(before)
    if given[key] is not None or not _GROUP.fullmatch(key) or not isinstance(start, str):
        return ""
    return f"{start}{key}" if _START.fullmatch(start) else ""


def _home(kind: str, key: str) -> str:
    """Where a key belongs that is right in another place of the same kind."""
    places = [where.partition(".") for where in schema.homes().get(key, ())]
    parents = [f"`{parent}`" if parent else "the top level" for home, _, parent in places if home == kind]
    return f"it belongs under {' or '.join(dict.fromkeys(parents))}" if parents else ""


def _other_kind(key: str, known: dict[str, Any]) -> str:
    """Which kind a key belongs to that looks like none of this one."""
    kinds = dict.fromkeys(where.partition(".")[0] for where in schema.homes().get(key, ()))
    return f"it belongs to kind {' or '.join(kinds)}" if kinds and not nearest(key, known) else ""


def _tell_missing(error: _Error) -> Iterator[Issue]:
    """A key that is there, misspelt, is not missing too."""
    known = _properties(error.document.kind, error.path)
    misspelt = {nearest(key, known) for key in error.given if key not in known}
    for key in error.wanted:
        if key not in error.given and key not in misspelt:
            about = known.get(key, {}).get("description", "").split(". ")[0].rstrip(".")
            if not about[1:2].isupper():  # an abbreviation, such as ID, stays as it is
                about = about[:1].lower() + about[1:]
            remedy = f"add `{key}:`" + (f" ({about})" if about else "")
            if allowed := known.get(key, {}).get("enum"):
                remedy += f"; {choices('', allowed)}"
            yield _flaw(error.place, f"`{key}` is missing from {error.subject}", remedy)


def _properties(kind: str, path: Sequence[PathStep]) -> dict[str, Any]:
    found: dict[str, Any] = _part(kind, path).get("properties", {})
    return found


def _part(kind: str, path: Sequence[PathStep]) -> dict[str, Any]:
    """Return the schema of the value at a path."""
    part: dict[str, Any] = schema.load(kind)
    for step in path:
        fixed = part.get("properties", {})
        part = fixed[step] if step in fixed else part.get("items") or part.get("additionalProperties") or {}
    return part


def _tell_type(error: _Error) -> Iterator[Issue]:
    wanted = error.wanted if isinstance(error.wanted, str) else ""
    what, remedy = _TYPES.get(wanted, ("a whole number", "write digits only, such as 1000"))
    if error.given is None:
        yield _flaw(error.place, f"{error.subject} has no value", f"write {what}{_or_not(error)}")
    else:
        yield _flaw(error.place, f"{error.subject} must be {what}", remedy)


def _or_not(error: _Error) -> str:
    """Return the advice to remove a value, if it is optional."""
    *above, last = error.path or ("",)
    if isinstance(last, int):
        return ", or remove the item"
    return "" if last in _part(error.document.kind, above).get("required", ()) else ", or remove the key"


def _tell_enum(error: _Error) -> Iterator[Issue]:
    said = error.given if isinstance(error.given, str) else ""
    problem = "has no value" if error.given is None else "is not one of the allowed values"
    yield _flaw(error.place, f"{error.subject} {problem}", choices(said, error.wanted))


def _tell_pattern(error: _Error) -> Iterator[Issue]:
    remedy = error.part["patternErrorMessage"]
    if error.of_key:
        place = error.document.key_place(*error.path, error.given)
        yield _flaw(place, f"{label(error.given)} is not a legal name", remedy)
    else:
        yield _flaw(error.place, f"{error.subject} is not written as it must be", remedy)


def _tell_long(error: _Error) -> Iterator[Issue]:
    problem = f"{error.subject} has {len(error.given)} characters, the limit is {error.wanted}"
    yield _flaw(error.place, problem, "make it shorter")


def _tell_empty(error: _Error) -> Iterator[Issue]:
    yield _flaw(error.place, f"{error.subject} is empty", f"fill it in{_or_not(error)}")


def _tell_repeated(error: _Error) -> Iterator[Issue]:
    for index, item in enumerate(error.given):
        if item in error.given[:index]:
            place = error.document.place(*error.path, index)
            yield _flaw(place, f"item {index + 1} of {error.subject} repeats an earlier one", "remove it")


def _tell_otherwise(error: _Error) -> Iterator[Issue]:
    yield _flaw(
        error.place, f"{error.subject} is not as its schema wants it", "see docs/reference/manifests.md"
    )


_TELLERS: dict[str, Callable[[_Error], Iterator[Issue]]] = {
    "additionalProperties": _tell_unknown,
    "required": _tell_missing,
    "type": _tell_type,
    "enum": _tell_enum,
    "pattern": _tell_pattern,
    "maxLength": _tell_long,
    "minLength": _tell_empty,
    "minItems": _tell_empty,
    "minProperties": _tell_empty,
    "uniqueItems": _tell_repeated,
}


def _flaw(place: SourceLocation, problem: str, remedy: str) -> Issue:
    return Issue(place, IssueRank.SCHEMA, problem, remedy)
