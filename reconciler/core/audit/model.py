"""Entries of the audit log, and its head.

A run that holds the lock appends two entries: one before its first write, and one after its last. An
entry names the digest of the entry before, so that no entry can be changed, removed or moved unseen,
except at the end: there, a head that was printed elsewhere is the witness.
"""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from reconciler.core.model import Address
from reconciler.core.rounding import RoundedCount

FORMAT = 1
"""The format of an entry. It is not that of the state: a log outlives the formats of its state."""
MOST_TRACE_IDS = 100
_HEAD = re.compile(r"(0|[1-9][0-9]{0,8}):(sha256:[0-9a-f]{64})")
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,62}(\[bot\])?")


class ActorSource(StrEnum):
    """What named the actor."""

    GITHUB = "github"
    GITLAB = "gitlab"
    OPTION = "option"
    MACHINE = "machine"
    """The user of the operating system."""


@dataclass(frozen=True, slots=True)
class Actor:
    """The person or the machine user that started a run; a claim, not a proof."""

    name: str
    source: ActorSource


def is_actor_name(text: str) -> bool:
    """Return whether a text can be a login: no e-mail address, and nothing that needs quoting."""
    return bool(_NAME.fullmatch(text))


class RunCommand(StrEnum):
    """The commands that append to the log."""

    APPLY = "apply"
    TEARDOWN = "teardown"
    ERASE = "erase"
    VERIFY = "verify"
    DOCTOR = "doctor"
    STATE_EXPORT = "state export"
    STATE_IMPORT = "state import"
    STATE_REBUILD = "state rebuild"
    STATE_RESTORE = "state restore"
    STATE_RESEAL = "state reseal"
    STATE_LOCK_BREAK = "state lock break"


@dataclass(frozen=True, slots=True)
class RunBegin:
    """What is known of a run before it does anything. `commit` is "" outside a git repository.

    `machine` is the name in the lock: the URL of a CI job, or user and host.
    """

    command: RunCommand
    actor: Actor
    commit: str
    machine: str
    version: str


@dataclass(frozen=True, slots=True)
class UsedApproval:
    """An approval by its digest, and the logins that CI named as those who approved it."""

    digest: str
    approved_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AuditedChange:
    """What a run did with one address: members as saved forms round them."""

    address: Address
    kind: str
    outcome: str
    added: RoundedCount = 0
    removed: RoundedCount = 0


@dataclass(frozen=True, slots=True)
class RunEnd:
    """How a run ended. `plan` is the digest of what it was to carry out; "" if there was no plan.

    `trace_ids` are those of Criteo's responses that had one: refusals, failures and warnings.
    """

    exit_code: int
    plan: str = ""
    approvals: tuple[UsedApproval, ...] = ()
    changes: tuple[AuditedChange, ...] = ()
    added: RoundedCount = 0
    removed: RoundedCount = 0
    rejected: RoundedCount = 0
    trace_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One entry. `previous` is the digest of the entry before, "" in the first.

    `lineage` and `serial` are those of the state at that time; "" and 0 without a state. Exactly one of
    `begin` and `end` is set.
    """

    format: int
    number: int
    previous: str
    at: datetime
    run: str
    lineage: str
    serial: int
    begin: RunBegin | None = None
    end: RunEnd | None = None


@dataclass(frozen=True, slots=True)
class AuditHead:
    """The length of a log and the digest of its last entry; "" if there is none."""

    length: int = 0
    digest: str = ""

    def __str__(self) -> str:
        return f"{self.length}:{self.digest}"


def parse_head(text: str) -> AuditHead | None:
    """Return the head that a run printed; None if the text is no head."""
    found = _HEAD.fullmatch(text)
    return AuditHead(int(found[1]), found[2]) if found else None


@dataclass(frozen=True, slots=True)
class StoredEntry:
    """An entry as a store has it: the number in its name, and its bytes."""

    number: int
    content: bytes

    @property
    def digest(self) -> str:
        return f"sha256:{hashlib.sha256(self.content).hexdigest()}"


class AuditLog(Protocol):
    """The log beside a state. It only grows, and it is used with and without the lock.

    Errors: StorageError.
    """

    def entries(self) -> tuple[StoredEntry, ...]:
        """Return all entries, in the order of their numbers."""
        ...

    def head(self) -> AuditHead: ...

    def append(self, content: Callable[[AuditHead], bytes]) -> AuditHead:
        """Append an entry, durable on return, and return the new head.

        `content` receives the head before. It is called again if another process appended meanwhile.
        """
        ...
