"""Every error that reaches a user, with the exit code it owns.

ReconcilerError (1: a bug, if it is ever raised bare)
├── ConfigurationError (3)   manifests, sources or settings are wrong
├── AuthenticationError (4)  no token, or no consent
│   ├── DeniedError          a 403: consent or a permission is missing
│   └── ConcurrentWriteError another process wrote the secret meanwhile
├── RefusedError (5)         a guard or a policy blocks the plan
│   └── NotVerifiedError     what was sent did not arrive, or cannot be used
├── NotApprovedError (6)     the plan is not approved, or its approval is expired
├── LockedError (7)          another run holds this environment
├── PartialApplyError (8)    some changes are applied; the same command resumes
│   └── InvalidIdentifiersError   Criteo accepted the calls and rejected too many identifiers
├── RemoteError (9)          Criteo failed, and nothing was written
│   ├── RejectedError        the call did not take effect
│   │   ├── UnsentError      the call was not sent or not accepted, for a temporary reason
│   │   └── CallTooLargeError    the call has too many bytes or items
│   └── OutcomeUnknownError  the call is unconfirmed
├── StorageError (10)        state, disk, or a bucket of sources
│   └── CorruptSnapshotError a saved snapshot is missing or corrupt
├── NotComputedError (11)    Criteo has not computed what was sent yet
└── CancelledError (130)     a signal or the keyboard stopped the run
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Finding:
    """One problem: its location (`file:line:column` or an address), the problem, and its fix."""

    where: str
    problem: str
    remedy: str = ""

    def __str__(self) -> str:
        text = f"{self.where}: {self.problem}" if self.where else self.problem
        return f"{text}\n  → {self.remedy}" if self.remedy else text


class ReconcilerError(Exception):
    """A bug in reconciler. The output shows stack frames, never data."""

    exit_code = 1
    resumable = True
    """Whether the same command may do better when it is run again."""

    def __init__(self, problem: str, *, remedy: str = "", findings: Sequence[Finding] = ()) -> None:
        super().__init__(problem)
        self.problem = problem
        self.remedy = remedy
        self.findings = tuple(findings)


class ConfigurationError(ReconcilerError):
    """Manifests, sources or settings are wrong. Nothing was sent to Criteo."""

    exit_code = 3


class AuthenticationError(ReconcilerError):
    """Criteo issued no token, or consent is missing or revoked."""

    exit_code = 4
    resumable = False


class DeniedError(AuthenticationError):
    """Criteo refused the application: consent or a permission is missing.

    `lacking` names the missing one if the response shows it.
    """

    def __init__(
        self, problem: str, *, remedy: str = "", lacking: Literal["consent", "permission", ""] = ""
    ) -> None:
        super().__init__(problem, remedy=remedy)
        self.lacking = lacking


class ConcurrentWriteError(AuthenticationError):
    """Another process changed a secret after this run had read it. The other value is kept."""


class RefusedError(ReconcilerError):
    """A guard or a policy blocks the plan, or every address is blocked. Nothing was sent."""

    exit_code = 5


class NotVerifiedError(RefusedError):
    """Members did not arrive at Criteo, or too few of them match."""


class NotApprovedError(ReconcilerError):
    """The plan is not approved, or its approval is expired or invalid. Nothing was sent."""

    exit_code = 6


class LockedError(ReconcilerError):
    """Another run holds the environment's lock."""

    exit_code = 7


class PartialApplyError(ReconcilerError):
    """Some changes are applied and some are not. The same command resumes."""

    exit_code = 8


class InvalidIdentifiersError(PartialApplyError):
    """Criteo accepted the calls but rejected too many identifiers. Correct the list."""

    resumable = False


class RemoteError(ReconcilerError):
    """Criteo failed, and nothing was written."""

    exit_code = 9


class RejectedError(RemoteError):
    """Criteo rejected the call, so the call did not take effect.

    `code` is Criteo's kebab-case code, or "".
    """

    resumable = False

    def __init__(self, problem: str, *, remedy: str = "", code: str = "") -> None:
        super().__init__(problem, remedy=remedy)
        self.code = code


class UnsentError(RejectedError):
    """The call was not sent or not accepted: no connection, no token, or the rate limit."""

    resumable = True


class CallTooLargeError(RejectedError):
    """Criteo rejected the call because it has too many bytes or items. A smaller call may be accepted."""


class OutcomeUnknownError(RemoteError):
    """The call is unconfirmed: it may have taken effect, or may still take effect."""


class StorageError(ReconcilerError):
    """The state, the disk or a bucket cannot be read or written."""

    exit_code = 10


class CorruptSnapshotError(StorageError):
    """A saved snapshot is missing or corrupt."""


class NotComputedError(ReconcilerError):
    """Criteo has not computed what was sent yet. The message states when to verify again."""

    exit_code = 11


class CancelledError(ReconcilerError):
    """A signal stopped the run. Acknowledged changes are recorded.

    `in_doubt`: an attempt of the waiting call may have taken effect.
    """

    exit_code = 130
    in_doubt = False
