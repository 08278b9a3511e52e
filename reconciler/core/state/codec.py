"""Resources, heads and whole states as JSON objects: one versioned format, the same in every store.

The dataclasses are the declaration: each object has exactly their fields as keys. Decoding is strict. An
unknown key is an error: the next write would lose it, and with it knowledge of members at Criteo. Every
change of a field raises FORMAT_VERSION. An error names the field, never its content.
"""

import json
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, fields, is_dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, TypeGuard, TypeVar, get_origin

from cattrs import BaseValidationError, Converter
from cattrs.cols import homogenous_tuple_structure_factory
from cattrs.errors import ClassValidationError, IterableValidationError
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn

from reconciler.core.canonical_json import canonical_digest
from reconciler.core.erasure import Erasures
from reconciler.core.errors import StorageError
from reconciler.core.promotion.lock import PromotionLock
from reconciler.core.reuse import ReadRecords
from reconciler.core.rounding import LessThan, RoundedCount
from reconciler.core.series import SeriesMonth
from reconciler.core.state.model import StateHead, StateVersion
from reconciler.core.state.resource import ResourceState
from reconciler.core.verification import Verifications

FORMAT_VERSION = 7
NEEDS = "0.1.0"
"""The lowest version of reconciler that reads this format; older versions print it."""
T = TypeVar("T")
Object = dict[str, object]
Decode = Callable[[Any, Any], Any]
_FORMAT: Object = {"format_version": FORMAT_VERSION, "needs": NEEDS}
_VERSIONED = (
    StateHead,
    ResourceState,
    StateVersion,
    ReadRecords,
    Verifications,
    SeriesMonth,
    PromotionLock,
    Erasures,
)
_PART = tuple[str, str]
_CHECKSUM = "checksum"
_ALTERED = "the checksum does not match the content: the file is damaged or was edited by hand"
_UNSIGNED = "the file has no checksum: reconciler did not write it, or it was edited by hand"
_RELEASE = re.compile(r"\d{1,4}(\.\d{1,4}){1,2}")


class UnsupportedFormatError(StorageError):
    """A newer version of reconciler wrote the file; it is not damaged."""


class _MalformedError(Exception):
    """A value is not what its field needs. `at` continues the path to the field."""

    def __init__(self, wanted: str, at: str = "") -> None:
        super().__init__(wanted)
        self.wanted = wanted
        self.at = at


@dataclass(frozen=True, slots=True)
class _Part:
    """A part of a definition as JSON."""

    path: str
    value: str


def dump(encoded: dict[str, object]) -> bytes:
    """Return the bytes that a store keeps, indented for people who read them in an emergency.

    The checksum covers every other key. It finds damage that still decodes, such as another digit in a
    segment's ID. Every format keeps it.
    """
    return _signed(encoded, indent=1)


def _signed(encoded: Object, indent: int | None) -> bytes:
    return json.dumps({_CHECKSUM: canonical_digest(encoded), **encoded}, indent=indent).encode() + b"\n"


def parse(content: bytes) -> Object:
    """Return what `dump` was given. The error never quotes the content."""
    try:
        data = json.loads(content)
        found = data.pop(_CHECKSUM, None) if isinstance(data, dict) else None
        intact = isinstance(data, dict) and found == canonical_digest(data)
    except (ValueError, RecursionError):
        raise StorageError("not a whole JSON object") from None
    if not isinstance(data, dict):
        raise StorageError("not a JSON object")
    if not intact:
        raise StorageError(_ALTERED if found else _UNSIGNED)
    return data


def encode_head(head: StateHead) -> Object:
    return encode_value(head)


def decode_head(data: object) -> StateHead:
    return decode_value(data, StateHead, "head")


def encode_resource(resource: ResourceState) -> Object:
    return encode_value(resource)


def decode_resource(data: object) -> ResourceState:
    return decode_value(data, ResourceState, "resource")


def encode_state(state: StateVersion) -> Object:
    return encode_value(state)


def decode_state(data: object) -> StateVersion:
    state = decode_value(data, StateVersion, "state")
    if len({resource.address for resource in state.resources}) != len(state.resources):
        raise _malformed("resources", "one for each address")
    return state


def encode_records(records: ReadRecords) -> Object:
    return encode_value(records)


def records_in(content: bytes | None) -> ReadRecords:
    """Return the records of readings; none if the content is lost, damaged or of another format."""
    try:
        return decode_value(parse(content or b""), ReadRecords, "records")
    except StorageError:
        return ReadRecords()


def encode_verifications(verifications: Verifications) -> Object:
    return encode_value(verifications)


def verifications_in(content: bytes | None) -> Verifications:
    """Return the verifications; none if the content is lost, damaged or of another format."""
    try:
        found = decode_value(parse(content or b""), Verifications, "verifications")
    except StorageError:
        return Verifications()
    return found if found.is_whole else Verifications()


def dump_series(month: SeriesMonth) -> bytes:
    """Return the bytes of a month of points: many, and therefore on one line."""
    return _signed(encode_value(month), indent=None)


def series_in(content: bytes | None, month: str) -> SeriesMonth:
    """Return the points of a month; none if the content is lost, damaged, of another format or month."""
    try:
        found = decode_value(parse(content or b""), SeriesMonth, "series")
    except StorageError:
        return SeriesMonth(month)
    return found if found.month == month else SeriesMonth(month)


def encode_erasures(erasures: Erasures) -> Object:
    return encode_value(erasures)


def decode_erasures(data: object) -> Erasures:
    return decode_value(data, Erasures, "erasures")


def encode_promotion(lock: PromotionLock) -> Object:
    return encode_value(lock)


def decode_promotion(data: object) -> PromotionLock:
    return decode_value(data, PromotionLock, "lock")


def encode_value(value: object) -> Object:
    """Return a value that the format declares as a JSON object."""
    encoded: Object = _CONVERTER.unstructure(value)
    return encoded


def decode_value(data: object, kind: type[T], root: str) -> T:
    """Return the value of that kind. The error names the field, or `root`."""
    try:
        return _CONVERTER.structure(data, kind)
    except (BaseValidationError, _MalformedError, StorageError) as error:
        raise _first(error, "", root) from None


def _first(error: Exception, at: str, root: str) -> StorageError:
    """The first error of a tree of errors, with the path to its field."""
    match error:
        case ClassValidationError():
            inner, field = error.group_exceptions()[0][0]
            return _first(inner, f"{at}.{field.name}", root)
        case IterableValidationError():
            inner, item = error.group_exceptions()[0][0]
            return _first(inner, f"{at}[{item.index}]", root)
        case _MalformedError():
            return _malformed((at + error.at).removeprefix(".") or root, error.wanted)
        case StorageError():
            return error
        case _:
            raise AssertionError("an error that no hook raises") from error


def _malformed(at: str, wanted: str) -> StorageError:
    return StorageError(f"malformed: {at} should be {wanted}")


def _object(kind: type[T]) -> Decode:
    """Decode an object that has exactly the fields of `kind` as keys."""
    names = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    keys = frozenset(names)
    fill = make_dict_structure_fn(kind, _CONVERTER)

    def decode(data: object, _: object) -> T:
        if not isinstance(data, dict) or data.keys() != keys:
            raise _MalformedError(f"an object with exactly the keys {', '.join(names)}")
        return fill(data, kind)

    return decode


def _versioned(kind: type[T]) -> Decode:
    decode = _object(kind)
    return lambda data, _: decode(_checked_format(data), kind)


def _with_format(kind: type[T]) -> Callable[[T], Object]:
    encode = make_dict_unstructure_fn(kind, _CONVERTER)
    return lambda value: {**_FORMAT, **encode(value)}


def _checked_format(data: object) -> Object:
    """The object without its version, which is judged before anything else: a newer format is no damage."""
    if not isinstance(data, dict):
        raise _MalformedError("a JSON object")
    version = data.get("format_version")
    if not _is_count(version):
        raise _MalformedError(_COUNT, ".format_version")
    if version > FORMAT_VERSION:
        raise UnsupportedFormatError(
            f"format version {version}: a newer reconciler wrote it, this one reads {FORMAT_VERSION}",
            remedy=f"run {_needed(data.get('needs'))}",
        )
    if version < FORMAT_VERSION:
        raise StorageError(
            f"format version {version}: an unreleased reconciler wrote it, this one reads {FORMAT_VERSION}",
            remedy="move this state away, then run `reconciler state rebuild`",
        )
    if not isinstance(data.get("needs"), str):
        raise _MalformedError("a string", ".needs")
    return {key: value for key, value in data.items() if key not in _FORMAT}


def _needed(release: object) -> str:
    """The version to run, from a document that is not validated yet."""
    if isinstance(release, str) and _RELEASE.fullmatch(release):
        return f"reconciler {release} or newer"
    return "the version of reconciler that wrote it, or a newer one"


_COUNT = "a whole number, zero or more"
_SHARE = "a number from 0 to 1"


def _is_count(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_share(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1


def _checked(accepts: Callable[[Any], bool], wanted: str) -> Decode:
    def decode(value: object, _: object) -> object:
        if not accepts(value):
            raise _MalformedError(wanted)
        return value

    return decode


def _is_tuple(kind: Any) -> bool:
    origin: Any = get_origin(kind)
    return origin is tuple


def _list(kind: Any) -> Decode:
    decode = homogenous_tuple_structure_factory(kind, _CONVERTER)

    def decode_list(values: object, _: object) -> object:
        if not isinstance(values, list):
            raise _MalformedError("a list")
        return decode(values, kind)

    return decode_list


def _time(value: object, _: object) -> datetime:
    """Accept UTC only: reconciler writes no other zone."""
    try:
        time = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        time = None
    if time is None:
        raise _MalformedError("a time in ISO 8601")
    if time.utcoffset() != timedelta(0):
        raise _MalformedError("a time in UTC")
    return time


def _stamp(time: datetime) -> str:
    if time.tzinfo is None:
        raise AssertionError("a time without its zone")
    return time.astimezone(UTC).isoformat()


def _enum(value: object, kind: type[StrEnum]) -> StrEnum:
    if isinstance(value, str):
        with suppress(ValueError):
            return kind(value)
    raise _MalformedError(f"one of {', '.join(kind)}")


def _part(value: object, _: object) -> tuple[str, str]:
    part = _CONVERTER.structure(value, _Part)
    return part.path, part.value


def _rounded(value: object, _: object) -> object:
    return _CONVERTER.structure(value, LessThan if isinstance(value, dict) else int)


def _converter() -> Converter:
    converter = Converter(unstruct_collection_overrides={tuple: list})
    converter.register_structure_hook(str, _checked(lambda value: isinstance(value, str), "a string"))
    converter.register_structure_hook(bool, _checked(lambda value: isinstance(value, bool), "true or false"))
    converter.register_structure_hook(int, _checked(_is_count, _COUNT))
    converter.register_structure_hook(float, _checked(_is_share, _SHARE))
    converter.register_structure_hook(datetime, _time)
    converter.register_structure_hook(StrEnum, _enum)
    converter.register_unstructure_hook(datetime, _stamp)
    converter.register_structure_hook_factory(_is_tuple, _list)
    converter.register_structure_hook_func(lambda kind: kind == _PART, _part)
    converter.register_structure_hook_func(lambda kind: kind == RoundedCount, _rounded)
    converter.register_unstructure_hook_func(
        lambda kind: kind == _PART, lambda part: {"path": part[0], "value": part[1]}
    )
    converter.register_structure_hook_factory(is_dataclass, _object)
    converter.register_structure_hook_factory(_VERSIONED.__contains__, _versioned)
    converter.register_unstructure_hook_factory(_VERSIONED.__contains__, _with_format)
    return converter


_CONVERTER = _converter()
