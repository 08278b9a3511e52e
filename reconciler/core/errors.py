"""Every error that reaches a user, with the exit code it owns.

ReconcilerError (1: a bug, if it is ever raised bare)
├── ConfigurationError (3)   manifests, sources or settings are wrong
├── AuthenticationError (4)  no token, or no consent
│   ├── DeniedError          a 403: consent or a permission lacks
│   └── OverwrittenError     somebody else wrote the secret meanwhile
├── RefusedError (5)         a guard or a policy stands against the plan
├── StaleError (6)           a plan or an approval that does not hold any more
├── LockedError (7)          another run holds this environment
├── PartlyAppliedError (8)   some changes are applied; running again resumes
│   └── InvalidIdentifiersError   Criteo took the calls and rejected too many of the identifiers in them
├── RemoteError (9)          Criteo failed, and nothing was written
│   ├── RejectedError        a definite no: the call did not happen
│   │   └── UnsentError      the call was not sent or not accepted, for a reason that may pass
│   └── OutcomeUnknownError  no answer that can be trusted: the call may have happened
├── StorageError (10)        state, disk, or a bucket of sources
│   └── DamagedError         what was kept is gone, or not what it was
└── CancelledError (130)     a signal or the keyboard asked to stop
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong: where (`file:line:column` or an address), what, and what to do now."""

    where: str
    problem: str
    remedy: str = ""

    def __str__(self) -> str:
        text = f"{self.where}: {self.problem}" if self.where else self.problem
        return f"{text}\n  → {self.remedy}" if self.remedy else text


class ReconcilerError(Exception):
    """The root: carries findings, prints them all, owns an exit code."""

    exit_code = 1
    resumable = True
    """Whether the same command may do better when it is run again."""

    def __init__(self, problem: str, *, remedy: str = "", findings: Sequence[Finding] = ()) -> None:
        super().__init__(problem)
        self.problem = problem
        self.remedy = remedy
        self.findings = tuple(findings)


class ConfigurationError(ReconcilerError):
    """Manifests, sources or settings are wrong; nothing was read from or sent to Criteo for them."""

    exit_code = 3


class AuthenticationError(ReconcilerError):
    """Criteo gave no token, or the consent is missing or revoked."""

    exit_code = 4
    resumable = False


class DeniedError(AuthenticationError):
    """Criteo knows us and says no. `lacking`: what isn't there, as far as its answer tells."""

    def __init__(
        self, problem: str, *, remedy: str = "", lacking: Literal["consent", "permission", ""] = ""
    ) -> None:
        super().__init__(problem, remedy=remedy)
        self.lacking = lacking


class ConcurrentWriteError(AuthenticationError):
    """Somebody else wrote a secret since it was read: theirs stays."""


class RefusedError(ReconcilerError):
    """A guard or a policy refuses the plan before its first write."""

    exit_code = 5


class NotApprovedError(ReconcilerError):
    """What is to be done is not what was approved, or what was approved holds no more. Nothing was sent."""

    exit_code = 6


class LockedError(ReconcilerError):
    """Another run holds the environment."""

    exit_code = 7


class PartialApplyError(ReconcilerError):
    """Some changes are applied and some are not; running again resumes."""

    exit_code = 8


class InvalidIdentifiersError(PartialApplyError):
    """Criteo took the calls and rejected too many of the identifiers. Only a changed list helps."""

    resumable = False


class RemoteError(ReconcilerError):
    """Criteo failed and nothing was written."""

    exit_code = 9


class RejectedError(RemoteError):
    """A definite no from Criteo: the call did not happen. `code` is Criteo's kebab-case code, or ""."""

    resumable = False

    def __init__(self, problem: str, *, remedy: str = "", code: str = "") -> None:
        super().__init__(problem, remedy=remedy)
        self.code = code


class UnsentError(RejectedError):
    """The call surely did not happen: no connection, no token endpoint, or too many calls a minute."""

    resumable = True


class OutcomeUnknownError(RemoteError):
    """The call may or may not have happened, and may still happen for a while."""


class StorageError(ReconcilerError):
    """The state or the disk can't be read or written."""

    exit_code = 10


class CorruptSnapshotError(StorageError):
    """A snapshot that was kept is gone, or not what it was."""


class CancelledError(ReconcilerError):
    """Someone asked to stop; what was acknowledged is written down.

    `in_doubt`: an attempt of the call that was waiting may have happened.
    """

    exit_code = 130
    in_doubt = False
