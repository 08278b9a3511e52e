"""A plan, a run or drift as a document: values only. `document_text` writes the sentences."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from reconciler.core.errors import Finding, ReconcilerError
from reconciler.core.model import Address
from reconciler.core.rounding import RoundedCount
from reconciler.render.document.apply_report import ApplyReport
from reconciler.render.document.blocked import BlockedGroup
from reconciler.render.document.exclusion_lists import ListRow
from reconciler.render.document.row import NOT_APPLIED, Part, Row, RowKind
from reconciler.render.document.statements import Note
from reconciler.render.text import name, sentence


class DocumentType(StrEnum):
    """The subject of a document."""

    PLAN = "plan"
    APPLY = "apply"
    TEARDOWN = "teardown"
    DRIFT = "drift"


@dataclass(frozen=True, slots=True)
class NamedSeat:
    """An account and a retailer, by the name that the environment gives them."""

    name: str
    account_id: str
    retailer_id: str


@dataclass(frozen=True, slots=True)
class StateRef:
    """The state that the document was made from."""

    serial: int
    lineage: str


@dataclass(frozen=True, slots=True)
class Header:
    """`endpoint` is "" while it is unknown; `state` is None while there is none, or it is unknown.

    `newest_data`: when the newest source file was written.
    """

    document_type: DocumentType
    environment: str
    endpoint: str
    emulated: bool
    seats: tuple[NamedSeat, ...]
    state: StateRef | None
    newest_data: datetime | None
    made_at: datetime


@dataclass(frozen=True, slots=True)
class Section:
    """All addresses to which the same thing happens, in their order."""

    kind: RowKind
    rows: tuple[Row, ...]

    @property
    def state_only(self) -> bool:
        """Return whether the rows have no text beside that of their section."""
        return self.kind == RowKind.STATE_ONLY

    @property
    def shared(self) -> tuple[Part, ...]:
        """Parts of the definition that changed alike for all of them."""
        first = self.rows[0].definition
        return first if all(row.definition == first for row in self.rows) else ()


@dataclass(frozen=True, slots=True)
class Totals:
    """The number of addresses of each kind, and of members to send. `deferred`: skipped addresses."""

    kinds: tuple[tuple[RowKind, int], ...]
    unchanged: int
    adds: RoundedCount = 0
    removes: RoundedCount = 0
    deferred: int = 0

    def count(self, kind: RowKind) -> int:
        return dict(self.kinds).get(kind, 0)


NOTHING = Totals((), 0)


WHOLE = "100%"


@dataclass(frozen=True, slots=True)
class CredentialCalls:
    """The calls with one credential. `calls_per_minute`: of this environment.

    `assumed`: Criteo has not stated the limit yet.
    """

    credential: str
    calls: int
    calls_per_minute: int
    assumed: bool


@dataclass(frozen=True, slots=True)
class Estimate:
    """The estimate of an apply. `seconds` includes the wait for unconfirmed requests until `waits_until`.

    `share`: of each credential's rate limit, as manifests write it.
    `computed_at` is Criteo's next computation; None if no members change. `live_at` follows.
    """

    calls: int
    seconds: int
    credentials: tuple[CredentialCalls, ...]
    share: str = WHOLE
    waits_until: datetime | None = None
    computed_at: datetime | None = None
    live_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Removals:
    """Suppressed members that are removed at addresses without another change.

    `blocked` counts those of the addresses that are blocked or paused; others are forgotten, or left out of
    the plan.
    """

    addresses: int
    members: RoundedCount
    blocked: int


@dataclass(frozen=True, slots=True)
class StateMissing:
    """There is no state: all audiences count as new. `local_folder`: it is looked for in a folder."""

    local_folder: bool


@dataclass(frozen=True, slots=True)
class RunError:
    """The error that ended the work. A remedy may have several lines."""

    problem: str
    remedy: str
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Document:
    """A plan, a run or drift, as values.

    `estimate` is None if nothing is applied. `rounded_to` is the step of rounded counts; None if there are
    none. `problems` block the whole plan. `outcome` is the result of an apply; without one, nothing was sent.
    `error` prevented the plan or ended the run. `approvals` are the digests of the plans that approved the
    run. `lists` are the exclusion lists that changed since they were last applied. `blocked` are the causes
    that block addresses. `notice` comes before everything else.
    """

    header: Header
    sections: tuple[Section, ...]
    totals: Totals
    estimate: Estimate | None = None
    removals: Removals | None = None
    notes: tuple[Note, ...] = ()
    rounded_to: int | None = None
    problems: tuple[Finding, ...] = ()
    outcome: ApplyReport | None = None
    error: RunError | None = None
    approvals: tuple[str, ...] = ()
    lists: tuple[ListRow, ...] = ()
    notice: StateMissing | None = None
    blocked: tuple[BlockedGroup, ...] = ()

    @property
    def rows(self) -> tuple[Row, ...]:
        return tuple(row for section in self.sections for row in section.rows)

    @property
    def step(self) -> int:
        return self.rounded_to or 1

    @property
    def failed(self) -> bool:
        """An error ended the work before anything was sent."""
        return self.error is not None and self.outcome is None

    @property
    def undecided(self) -> bool:
        """An error came before anything was planned or compared."""
        return self.failed and not self.header.endpoint

    @property
    def risks(self) -> tuple[Row, ...]:
        """Return the rows that need review."""
        return tuple(row for row in self.rows if row.needs_review)

    @property
    def others(self) -> tuple[Section, ...]:
        """Return the sections without risks."""
        rest = (
            Section(one.kind, tuple(row for row in one.rows if not row.needs_review)) for one in self.sections
        )
        return tuple(section for section in rest if section.rows)

    @property
    def empty(self) -> bool:
        return not self.sections

    @property
    def applicable(self) -> bool:
        """Something of it can be applied, or nothing needs to be."""
        stopped = [row for row in self.rows if row.kind in NOT_APPLIED]
        blocked = any(row.kind is RowKind.BLOCKED for row in stopped)
        others = len(stopped) < len(self.rows) or bool(self.totals.unchanged)
        return not self.problems and (not blocked or others)

    def row(self, address: Address) -> Row | None:
        """Return the row of an address; None if it does not change."""
        return next((row for row in self.rows if row.address == str(address)), None)


def error_document(
    document_type: DocumentType, environment: str, error: ReconcilerError, now: datetime
) -> Document:
    """Return the document of a plan that failed."""
    header = Header(document_type, name(environment), "", False, (), None, None, now)
    return Document(header, (), NOTHING, error=run_error(error))


def with_error(document: Document, error: ReconcilerError) -> Document:
    """Return the document ended by `error`. Without an outcome, it has no estimate."""
    estimate, removals = (document.estimate, document.removals) if document.outcome else (None, None)
    return replace(document, estimate=estimate, removals=removals, error=run_error(error))


def run_error(error: ReconcilerError) -> RunError:
    return RunError(sentence(error.problem), _lines(error.remedy), tuple(map(clean, error.findings)))


def clean(finding: Finding) -> Finding:
    """Return the finding with text that acts on no terminal and no layout."""
    return Finding(sentence(finding.where), sentence(finding.problem), _lines(finding.remedy))


def _lines(remedy: str) -> str:
    """A snippet to paste keeps its lines."""
    return "\n".join(map(sentence, remedy.splitlines()))
