"""The sentences of reasons."""

from typing import assert_never

from reconciler.core.adoption import Baseline
from reconciler.core.plan.reasons import (
    AllSentAgain,
    ApplyResumed,
    CreateConfirmed,
    CreateRepeated,
    DefinitionChanged,
    DefinitionOnly,
    FilledOutside,
    KeyChanged,
    ManagedAgain,
    MembersUnknown,
    NameSetAgain,
    Reason,
    Removed,
    RemovedAndKept,
    RemovedAndMissing,
    SegmentAdopted,
    SegmentMissing,
    SourceChanged,
    TeardownInterrupted,
    UnknownMembersRemain,
)
from reconciler.render.text import name


def reason_text(one: Reason) -> str:
    match one:
        case KeyChanged():
            return f"{' and '.join(one.attributes)} can't be changed in place"
        case ManagedAgain():
            return f"it was forgotten on {one.forgotten_at:%Y-%m-%d} and is in the manifests again"
        case SegmentAdopted():
            return f"adopts segment {name(one.segment_id)}: {_BASELINES[one.baseline]}"
        case SegmentMissing() | CreateConfirmed() | MembersUnknown() | FilledOutside() | RemovedAndMissing():
            return _OF_SEGMENTS[type(one)].format(name(one.segment_id))
        case CreateRepeated() | ApplyResumed() | SourceChanged() | AllSentAgain() | NameSetAgain():
            return _SENTENCES[type(one)]
        case TeardownInterrupted() | UnknownMembersRemain():
            return _SENTENCES[type(one)]
        case DefinitionOnly() | DefinitionChanged() | Removed() | RemovedAndKept():
            return _SENTENCES[type(one)]
        case _:
            assert_never(one)


_BASELINES = {
    Baseline.REUSE: "all wanted members are sent, and other members may remain",
    Baseline.ASSUME: "all wanted members are sent, and unwanted members in the file of Adopt are removed",
    Baseline.REPLACE: "a new segment replaces it, because its members are unknown",
}
_OF_SEGMENTS = {
    SegmentMissing: "segment {} is missing at Criteo; audiences built on it break",
    CreateConfirmed: "segment {} was created by an earlier run; the response was lost",
    MembersUnknown: "a new segment replaces segment {}, because its members are unknown",
    FilledOutside: "others added members to segment {}; they are unknown, so a new segment is filled",
    RemovedAndMissing: "removed from the manifests; segment {} is missing at Criteo",
}
_SENTENCES = {
    CreateRepeated: "an earlier create is unconfirmed, and the segment does not exist",
    ApplyResumed: "an earlier apply was interrupted; this apply resumes it",
    SourceChanged: "an earlier apply was interrupted and the source has changed since",
    AllSentAgain: "its members are unknown: all wanted members are sent",
    TeardownInterrupted: "a teardown was interrupted; all wanted members are sent again",
    UnknownMembersRemain: "only known members are removed: unknown members may stay",
    NameSetAgain: "an unconfirmed request may still change the name; the name is set again afterwards",
    DefinitionOnly: "definition only; no API call",
    DefinitionChanged: "the definition changed since it was applied",
    Removed: "removed from the manifests; the segment and its members stay at Criteo",
    RemovedAndKept: "removed by a document `Removed`; the segment and its members stay at Criteo",
}
