"""An object store in memory whose clock and entity tags a test chooses; it counts what it is asked for."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from obstore.exceptions import GenericError, PreconditionError

Tag = Callable[["StoredObject"], str | None]


@dataclass(frozen=True, slots=True)
class StoredObject:
    """`number` counts all writes of a store. Stores state times in whole seconds."""

    content: bytes
    written_at: datetime
    number: int


def of_content(found: StoredObject) -> str:
    """S3, for an object that was written in one piece."""
    return f'"{hashlib.md5(found.content, usedforsecurity=False).hexdigest()}"'


def of_parts(found: StoredObject) -> str:
    """S3, for a multipart upload."""
    parts = [found.content[start : start + 8] for start in range(0, len(found.content), 8)]
    digests = b"".join(hashlib.md5(one, usedforsecurity=False).digest() for one in parts)
    return f'"{hashlib.md5(digests, usedforsecurity=False).hexdigest()}-{len(parts)}"'


def of_write(found: StoredObject) -> str:
    """Azure: another one for each write."""
    return f'"0x{found.number:X}"'


def of_time(found: StoredObject) -> str:
    """Web servers and gateways of file systems: of size and time."""
    return f'"{len(found.content):x}-{int(found.written_at.timestamp()):x}"'


def weak(found: StoredObject) -> str:
    return f"W/{of_time(found)}"


def absent(_: StoredObject) -> None:
    return None


TAGS: tuple[Tag, ...] = (of_content, of_parts, of_write, of_time, weak, absent)
STRONG = TAGS[:4]


@dataclass
class TaggedObjects:
    """What obstore offers of a store, as far as sources need it."""

    tag: Tag
    now: Callable[[], datetime]
    objects: dict[str, StoredObject] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    honours_conditions: bool = True
    fails: bool = False
    writes: int = 0

    def put(self, path: str, content: bytes) -> None:
        self.writes += 1
        self.objects[path] = StoredObject(content, self.now().replace(microsecond=0), self.writes)

    def delete(self, path: str) -> None:
        self.objects.pop(path, None)

    def list_with_delimiter(self, folder: str | None) -> Mapping[str, Any]:
        self.asked.append("list")
        if self.fails:
            raise GenericError("listing")
        start = f"{folder}/" if folder else ""
        inside = [one for one in self.objects if one.startswith(start) and "/" not in one[len(start) :]]
        return {"objects": [self._meta(one) for one in inside], "common_prefixes": []}

    def list(self, folder: str | None) -> list[list[Mapping[str, Any]]]:
        self.asked.append("list")
        if self.fails:
            raise GenericError("listing")
        start = f"{folder}/" if folder else ""
        return [[self._meta(one) for one in self.objects if one.startswith(start)]]

    def get(self, path: str, options: Mapping[str, Any]) -> "Answer":
        self.asked.append(f"get {path}")
        if path not in self.objects:
            raise FileNotFoundError
        found, (start, end) = self.objects[path], options["range"]
        same = options.get("if_match") in (None, _strong(self.tag(found)))
        since = options.get("if_unmodified_since")
        if self.honours_conditions and not (same and (since is None or found.written_at <= since)):
            raise PreconditionError
        return Answer(found.content[start:end], self._meta(path))

    def _meta(self, path: str) -> Mapping[str, Any]:
        found = self.objects[path]
        return {
            "path": path,
            "size": len(found.content),
            "last_modified": found.written_at,
            "e_tag": self.tag(found),
            "version": None,
        }


def _strong(tag: str | None) -> str | None:
    """A weak tag fulfils no `If-Match` (RFC 9110, 13.1.1)."""
    return None if tag is None or tag.startswith("W/") else tag


@dataclass(frozen=True, slots=True)
class Answer:
    content: bytes
    meta: Mapping[str, Any]

    def bytes(self) -> bytes:
        return self.content
