"""Why an address changes, as values. The layouts write the sentences."""

from dataclasses import dataclass
from datetime import datetime

from reconciler.core.adoption import Baseline


@dataclass(frozen=True, slots=True)
class SegmentMissing:
    """The segment is missing at Criteo."""

    segment_id: str


@dataclass(frozen=True, slots=True)
class ManagedAgain:
    """The address was forgotten, and is in the manifests again."""

    forgotten_at: datetime


@dataclass(frozen=True, slots=True)
class SegmentAdopted:
    """An `Adopt` document brings a segment under management that another tool created."""

    segment_id: str
    baseline: Baseline


@dataclass(frozen=True, slots=True)
class CreateConfirmed:
    """An earlier run created this segment, and its response was lost."""

    segment_id: str


@dataclass(frozen=True, slots=True)
class CreateRepeated:
    """An earlier create is unconfirmed, and its segment does not exist."""


@dataclass(frozen=True, slots=True)
class KeyChanged:
    """These attributes can't change in place."""

    attributes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MembersUnknown:
    """The members of this segment are unknown: it was adopted, or its state was lost."""

    segment_id: str


@dataclass(frozen=True, slots=True)
class FilledOutside:
    """Others added members to this segment. They are unknown, so a new segment is filled."""

    segment_id: str


@dataclass(frozen=True, slots=True)
class AllSentAgain:
    """The members are unknown, since the segment was adopted or its state lost: all wanted ones are sent."""


@dataclass(frozen=True, slots=True)
class ApplyResumed:
    """An earlier apply was interrupted, and this one resumes it."""


@dataclass(frozen=True, slots=True)
class SourceChanged:
    """An earlier apply was interrupted, and the source changed since."""


@dataclass(frozen=True, slots=True)
class TeardownInterrupted:
    """A teardown was interrupted, and the wanted members are sent again."""


@dataclass(frozen=True, slots=True)
class UnknownMembersRemain:
    """The segment was adopted, or its state was lost: only known members are removed."""


@dataclass(frozen=True, slots=True)
class NameSetAgain:
    """An unconfirmed request may still change the name, which is set again afterwards."""


@dataclass(frozen=True, slots=True)
class DefinitionOnly:
    """The definition changed, and the members did not."""


@dataclass(frozen=True, slots=True)
class DefinitionChanged:
    """The definition changed since it was applied."""


@dataclass(frozen=True, slots=True)
class Removed:
    """The manifests no longer contain the audience."""


@dataclass(frozen=True, slots=True)
class RemovedAndKept:
    """A `Removed` document states that the segment and its members stay."""


@dataclass(frozen=True, slots=True)
class RemovedAndMissing:
    """The manifests no longer contain the audience, and its segment is missing at Criteo."""

    segment_id: str


Reason = (
    SegmentMissing
    | ManagedAgain
    | SegmentAdopted
    | CreateConfirmed
    | CreateRepeated
    | KeyChanged
    | MembersUnknown
    | FilledOutside
    | AllSentAgain
    | ApplyResumed
    | SourceChanged
    | TeardownInterrupted
    | UnknownMembersRemain
    | NameSetAgain
    | DefinitionOnly
    | DefinitionChanged
    | Removed
    | RemovedAndKept
    | RemovedAndMissing
)
