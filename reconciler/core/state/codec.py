"""Receipts, heads and whole states as JSON objects: one versioned form, the same in every store.

Decoding is strict. A key that this version does not know is an error, not something to skip: the next
write would lose it, and with it knowledge of who is held. Every change of form raises FORMAT_VERSION.
"""

import hashlib
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TypeVar

from reconciler.core.approval.model import ApprovalRecord
from reconciler.core.errors import StorageError
from reconciler.core.members import AppliedList, Delta, SnapshotRef
from reconciler.core.model import Address, Hashing, IdentifierType, SegmentKey
from reconciler.core.ports import StateHead, StateVersion
from reconciler.core.state.resource import (
    CreateIntent,
    InFlightBatch,
    ResourceState,
    RetiredSegment,
    SegmentState,
    Transfer,
    UnconfirmedUpdate,
)

FORMAT_VERSION = 4
NEEDS = "0.1.0"
"""The least version of this tool that reads what is written here; an older one says so."""
T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)
Decode = Callable[[object, str], T]
Object = dict[str, object]
_FORMAT: Object = {"format_version": FORMAT_VERSION, "needs": NEEDS}
_CHECKSUM = "checksum"
_ALTERED = "the checksum does not match the content: the file is damaged, or somebody changed it by hand"
_UNSIGNED = "the file has no checksum: reconciler did not write it, or somebody changed it by hand"
_RELEASE = re.compile(r"\d{1,4}(\.\d{1,4}){1,2}")


class UnsupportedFormatError(StorageError):
    """No damage: a newer version of this tool wrote it."""


def dump(encoded: dict[str, object]) -> bytes:
    """The bytes that a store keeps; readable, because people look at them when things are bad.

    Their checksum covers every other key, so that damage is found that still decodes: another digit in
    a segment's id. Every format keeps it so.
    """
    return json.dumps({_CHECKSUM: _checksum(encoded), **encoded}, indent=1).encode() + b"\n"


def parse(content: bytes) -> Object:
    """What `dump` was given. The error never quotes the content."""
    try:
        data = json.loads(content)
        found = data.pop(_CHECKSUM, None) if isinstance(data, dict) else None
        intact = isinstance(data, dict) and found == _checksum(data)
    except (ValueError, RecursionError):
        raise StorageError("not a whole JSON object") from None
    if not isinstance(data, dict):
        raise StorageError("not a JSON object")
    if not intact:
        raise StorageError(_ALTERED if found else _UNSIGNED)
    return data


def _checksum(encoded: Object) -> str:
    canonical = json.dumps(encoded, sort_keys=True, separators=(",", ":"))
    return f"sha256:{hashlib.sha256(canonical.encode()).hexdigest()}"


def encode_head(head: StateHead) -> dict[str, object]:
    return {
        **_FORMAT,
        "environment": head.environment,
        "lineage": head.lineage,
        "serial": head.serial,
        "approvals": [
            {
                "digest": use.digest,
                "started_at": _stamp(use.started_at),
                "completed_at": _stamp(use.completed_at),
            }
            for use in head.approvals
        ],
    }


def decode_head(data: object) -> StateHead:
    head = _versioned(data, "head", "environment lineage serial approvals")
    return StateHead(
        environment=_text(head["environment"], "environment"),
        lineage=_text(head["lineage"], "lineage"),
        serial=_count(head["serial"], "serial"),
        approvals=_all(_use, head["approvals"], "approvals"),
    )


def _use(data: object, at: str) -> ApprovalRecord:
    use = _fields(data, at, "digest started_at completed_at")
    return ApprovalRecord(
        digest=_text(use["digest"], f"{at}.digest"),
        started_at=_time(use["started_at"], f"{at}.started_at"),
        completed_at=_maybe(_time, use["completed_at"], f"{at}.completed_at"),
    )


def encode_state(state: StateVersion) -> dict[str, object]:
    return {
        **_FORMAT,
        "saved_at": _stamp(state.saved_at),
        "head": encode_head(state.head),
        "resources": [encode_receipt(receipt) for receipt in state.resources],
    }


def decode_state(data: object) -> StateVersion:
    state = _versioned(data, "state", "saved_at head resources")
    receipts = _all(lambda one, _at: decode_receipt(one), state["resources"], "resources")
    if len({receipt.address for receipt in receipts}) != len(receipts):
        raise _malformed("resources", "one for each address")
    return StateVersion(decode_head(state["head"]), receipts, _time(state["saved_at"], "saved_at"))


def encode_receipt(receipt: ResourceState) -> dict[str, object]:
    return {
        **_FORMAT,
        "address": {"destination": receipt.address.destination, "audience": receipt.address.audience},
        "definition": receipt.definition,
        "parts": [{"path": path, "value": value} for path, value in receipt.parts],
        "forgotten_at": _stamp(receipt.forgotten_at),
        "replace_requested": receipt.replace_requested,
        "current": _of_holding(receipt.current),
        "replacement": _of_holding(receipt.replacement) if receipt.replacement else None,
        "retired": [
            {"retired_at": _stamp(one.retired_at), "segment": _of_holding(one.segment)}
            for one in receipt.retired
        ],
        "lists": [_of_list(one) for one in receipt.lists],
    }


def decode_receipt(data: object) -> ResourceState:
    keys = "address definition parts forgotten_at replace_requested current replacement retired lists"
    receipt = _versioned(data, "receipt", keys)
    address = _fields(receipt["address"], "address", "destination audience")
    return ResourceState(
        address=Address(
            destination=_text(address["destination"], "address.destination"),
            audience=_text(address["audience"], "address.audience"),
        ),
        current=_holding(receipt["current"], "current"),
        replacement=_maybe(_holding, receipt["replacement"], "replacement"),
        retired=_all(_retired, receipt["retired"], "retired"),
        definition=_text(receipt["definition"], "definition"),
        parts=_all(_part, receipt["parts"], "parts"),
        forgotten_at=_maybe(_time, receipt["forgotten_at"], "forgotten_at"),
        replace_requested=_flag(receipt["replace_requested"], "replace_requested"),
        lists=_all(_list, receipt["lists"], "lists"),
    )


def _part(data: object, at: str) -> tuple[str, str]:
    part = _fields(data, at, "path value")
    return _text(part["path"], f"{at}.path"), _text(part["value"], f"{at}.value")


def _of_list(applied: AppliedList) -> dict[str, object]:
    return {
        "files": list(applied.files),
        "identifier_type": applied.identifier_type.value,
        "members": _of_snapshot(applied.members),
    }


def _list(data: object, at: str) -> AppliedList:
    applied = _fields(data, at, "files identifier_type members")
    return AppliedList(
        files=_all(_text, applied["files"], f"{at}.files"),
        identifier_type=_member(IdentifierType, applied["identifier_type"], f"{at}.identifier_type"),
        members=_snapshot(applied["members"], f"{at}.members"),
    )


def _of_intent(intent: CreateIntent) -> dict[str, object]:
    return {"name": intent.name, "sent_at": _stamp(intent.sent_at)}


def _of_holding(holding: SegmentState) -> dict[str, object]:
    return {
        "key": {
            "account_id": holding.key.account_id,
            "retailer_id": holding.key.retailer_id,
            "identifier_type": holding.key.identifier_type.value,
            "hashing": holding.key.hashing.value,
        },
        "segment_id": holding.segment_id,
        "intent": _of_intent(holding.intent) if holding.intent else None,
        "confirmed": _of_snapshot(holding.confirmed),
        "uncertain": _of_snapshot(holding.uncertain),
        "transfer": _of_transfer(holding.transfer) if holding.transfer else None,
        "rejected": holding.rejected,
        "completed_size": holding.completed_size,
        "completed_at": _stamp(holding.completed_at),
        "grace_until": _stamp(holding.grace_until),
        "unconfirmed_updates": [
            {"name": one.name, "description": one.description, "sent_at": _stamp(one.sent_at)}
            for one in holding.unconfirmed_updates
        ],
        "members_unknown_before": _stamp(holding.members_unknown_before),
        "updated_at": _stamp(holding.updated_at),
        "former_lineage": holding.former_lineage,
    }


def _holding(data: object, at: str) -> SegmentState:
    keys = (
        "key segment_id intent confirmed uncertain transfer rejected completed_size completed_at grace_until "
        "unconfirmed_updates members_unknown_before updated_at former_lineage"
    )
    holding = _fields(data, at, keys)
    return SegmentState(
        key=_key(holding["key"], f"{at}.key"),
        segment_id=_text(holding["segment_id"], f"{at}.segment_id"),
        intent=_maybe(_intent, holding["intent"], f"{at}.intent"),
        confirmed=_snapshot(holding["confirmed"], f"{at}.confirmed"),
        uncertain=_snapshot(holding["uncertain"], f"{at}.uncertain"),
        transfer=_maybe(_transfer, holding["transfer"], f"{at}.transfer"),
        rejected=_count(holding["rejected"], f"{at}.rejected"),
        completed_size=_maybe(_count, holding["completed_size"], f"{at}.completed_size"),
        completed_at=_maybe(_time, holding["completed_at"], f"{at}.completed_at"),
        grace_until=_maybe(_time, holding["grace_until"], f"{at}.grace_until"),
        unconfirmed_updates=_all(_rename, holding["unconfirmed_updates"], f"{at}.unconfirmed_updates"),
        members_unknown_before=_maybe(
            _time, holding["members_unknown_before"], f"{at}.members_unknown_before"
        ),
        updated_at=_maybe(_time, holding["updated_at"], f"{at}.updated_at"),
        former_lineage=_text(holding["former_lineage"], f"{at}.former_lineage"),
    )


def _key(data: object, at: str) -> SegmentKey:
    key = _fields(data, at, "account_id retailer_id identifier_type hashing")
    return SegmentKey(
        account_id=_text(key["account_id"], f"{at}.account_id"),
        retailer_id=_text(key["retailer_id"], f"{at}.retailer_id"),
        identifier_type=_member(IdentifierType, key["identifier_type"], f"{at}.identifier_type"),
        hashing=_member(Hashing, key["hashing"], f"{at}.hashing"),
    )


def _intent(data: object, at: str) -> CreateIntent:
    intent = _fields(data, at, "name sent_at")
    return CreateIntent(
        name=_text(intent["name"], f"{at}.name"),
        sent_at=_time(intent["sent_at"], f"{at}.sent_at"),
    )


def _rename(data: object, at: str) -> UnconfirmedUpdate:
    rename = _fields(data, at, "name description sent_at")
    return UnconfirmedUpdate(
        name=_maybe(_text, rename["name"], f"{at}.name"),
        description=_maybe(_text, rename["description"], f"{at}.description"),
        sent_at=_time(rename["sent_at"], f"{at}.sent_at"),
    )


def _of_snapshot(snapshot: SnapshotRef) -> dict[str, object]:
    return {"digest": snapshot.digest, "count": snapshot.count}


def _snapshot(data: object, at: str) -> SnapshotRef:
    snapshot = _fields(data, at, "digest count")
    return SnapshotRef(
        digest=_text(snapshot["digest"], f"{at}.digest"),
        count=_count(snapshot["count"], f"{at}.count"),
    )


def _of_transfer(transfer: Transfer) -> dict[str, object]:
    size, flight = transfer.size, transfer.in_flight
    return {
        "target": _of_snapshot(transfer.target),
        "priority_removes": _of_snapshot(transfer.priority_removes),
        "size": {"priority_removes": size.priority_removes, "adds": size.adds, "removes": size.removes},
        "acknowledged": transfer.acknowledged,
        "in_flight": {"end": flight.end, "dispatched_at": _stamp(flight.dispatched_at)} if flight else None,
    }


def _transfer(data: object, at: str) -> Transfer:
    transfer = _fields(data, at, "target priority_removes size acknowledged in_flight")
    size = _fields(transfer["size"], f"{at}.size", "priority_removes adds removes")
    return Transfer(
        target=_snapshot(transfer["target"], f"{at}.target"),
        priority_removes=_snapshot(transfer["priority_removes"], f"{at}.priority_removes"),
        size=Delta(
            priority_removes=_count(size["priority_removes"], f"{at}.size.priority_removes"),
            adds=_count(size["adds"], f"{at}.size.adds"),
            removes=_count(size["removes"], f"{at}.size.removes"),
        ),
        acknowledged=_count(transfer["acknowledged"], f"{at}.acknowledged"),
        in_flight=_maybe(_flight, transfer["in_flight"], f"{at}.in_flight"),
    )


def _flight(data: object, at: str) -> InFlightBatch:
    flight = _fields(data, at, "end dispatched_at")
    return InFlightBatch(
        end=_count(flight["end"], f"{at}.end"),
        dispatched_at=_time(flight["dispatched_at"], f"{at}.dispatched_at"),
    )


def _retired(data: object, at: str) -> RetiredSegment:
    retired = _fields(data, at, "segment retired_at")
    return RetiredSegment(
        segment=_holding(retired["segment"], f"{at}.segment"),
        retired_at=_time(retired["retired_at"], f"{at}.retired_at"),
    )


def _versioned(data: object, at: str, keys: str) -> Object:
    """The version is judged before the form: another form is no fault of the file."""
    if not isinstance(data, dict):
        raise _malformed(at, "a JSON object")
    version = _count(data.get("format_version"), "format_version")
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
    found = _fields(data, at, f"format_version needs {keys}")
    _text(found["needs"], "needs")
    return found


def _needed(release: object) -> str:
    """Of a document that nobody has checked."""
    if isinstance(release, str) and _RELEASE.fullmatch(release):
        return f"reconciler {release} or newer"
    return "the version of reconciler that wrote it, or a newer one"


def _fields(data: object, at: str, keys: str) -> dict[str, object]:
    if not isinstance(data, dict) or data.keys() != set(keys.split()):
        raise _malformed(at, f"an object with exactly the keys {keys.replace(' ', ', ')}")
    return data


def _text(value: object, at: str) -> str:
    if not isinstance(value, str):
        raise _malformed(at, "a string")
    return value


def _count(value: object, at: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise _malformed(at, "a whole number, zero or more")
    return value


def _flag(value: object, at: str) -> bool:
    if not isinstance(value, bool):
        raise _malformed(at, "true or false")
    return value


def _member(kind: type[E], value: object, at: str) -> E:
    try:
        return kind(_text(value, at))
    except ValueError:
        raise _malformed(at, f"one of {', '.join(kind)}") from None


def _stamp(time: datetime | None) -> str | None:
    if time is None:
        return None
    if time.tzinfo is None:
        raise AssertionError("a time without its zone")
    return time.astimezone(UTC).isoformat()


def _time(value: object, at: str) -> datetime:
    """UTC only: it is what we write, and a time of another zone was not written by us."""
    text = _text(value, at)
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise _malformed(at, "a time in ISO 8601") from None
    if time.utcoffset() != timedelta(0):
        raise _malformed(at, "a time in UTC")
    return time


def _maybe(decode: Decode[T], value: object, at: str) -> T | None:
    return None if value is None else decode(value, at)


def _all(decode: Decode[T], values: object, at: str) -> tuple[T, ...]:
    if not isinstance(values, list):
        raise _malformed(at, "a list")
    return tuple(decode(value, f"{at}[{place}]") for place, value in enumerate(values))


def _malformed(at: str, wanted: str) -> StorageError:
    return StorageError(f"malformed: {at} should be {wanted}")
