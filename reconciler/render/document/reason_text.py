"""The sentences of reasons."""

from typing import assert_never

from reconciler.core.plan.reasons import (
    AllSentAgain,
    ApplyResumed,
    CreateConfirmed,
    CreateRepeated,
    DefinitionChanged,
    DefinitionOnly,
    KeyChanged,
    ManagedAgain,
    MembersUnknown,
    NameSetAgain,
    Reason,
    Removed,
    RemovedAndMissing,
    SegmentMissing,
    SourceChanged,
)
from reconciler.render.text import name


def reason_text(one: Reason) -> str:
    match one:
        case KeyChanged():
            return f"{' and '.join(one.attributes)} can't be changed in place"
        case ManagedAgain():
            return f"it was forgotten on {one.forgotten_at:%Y-%m-%d} and is in the manifests again"
        case SegmentMissing() | CreateConfirmed() | MembersUnknown() | RemovedAndMissing():
            return _OF_SEGMENTS[type(one)].format(name(one.segment_id))
        case CreateRepeated() | ApplyResumed() | SourceChanged() | AllSentAgain() | NameSetAgain():
            return _SENTENCES[type(one)]
        case DefinitionOnly() | DefinitionChanged() | Removed():
            return _SENTENCES[type(one)]
        case _:
            assert_never(one)


_OF_SEGMENTS = {
    SegmentMissing: "segment {} is gone at Criteo; audiences built on it break",
    CreateConfirmed: "segment {} was created by an earlier run whose answer was lost",
    MembersUnknown: "who is in segment {} isn't known since the state was lost",
    RemovedAndMissing: "it left the manifests, and segment {} is gone at Criteo",
}
_SENTENCES = {
    CreateRepeated: "an earlier request to create it was not answered, and it isn't there",
    ApplyResumed: "an earlier apply was interrupted; this apply resumes it",
    SourceChanged: "an earlier apply was interrupted and the source has changed since",
    AllSentAgain: "who is in it isn't known since the state was lost: all who are wanted are sent",
    NameSetAgain: "an unanswered call may still change the name; it is set again once that can't happen",
    DefinitionOnly: "the definition changed; the members did not (no call)",
    DefinitionChanged: "the definition changed since it was applied",
    Removed: "it left the manifests; the segment and its members stay at Criteo, no longer managed",
}
