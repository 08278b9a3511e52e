"""Names and descriptions of segments are read back from the manifests that `dump` writes."""

import hypothesis.strategies as st
import pytest
from hypothesis import assume, given, settings
from support.manifest_project import FILES
from support.untrusted_text import MARKUP, TITLES

from reconciler.core.model import IdentifierType
from reconciler.core.pii import REDACTED, pii_kind
from reconciler.core.remote import Segment
from reconciler.core.unmanaged import UnmanagedSegment
from reconciler.manifests.dump import dumped, joined
from reconciler.manifests.index import ManifestIndex
from reconciler.manifests.load import check_documents
from reconciler.manifests.syntax.files import parse
from reconciler.manifests.syntax.invisible import is_invisible
from reconciler.manifests.syntax.nodes import ManifestDocument, findings

pytestmark = pytest.mark.promise("refused-early")

_, DECLARED = check_documents(parse("---\n".join(FILES.values()), "all.yaml"))
INDEX = ManifestIndex.of("sandbox", DECLARED, {}, complete=True)
MAPPINGS = [
    "- a",
    "a: b",
    "a #b",
    "'",
    '"',
    "&a",
    "*a",
    "!a",
    "%a",
    "@a",
    "|",
    ">",
    "{a",
    "[a",
    "no",
    "010",
    "~",
]
texts = st.one_of(st.text(), TITLES, st.sampled_from([*MARKUP, *MAPPINGS]))
sound = st.text(st.characters(exclude_categories=["C", "Z"])) | st.sampled_from(MAPPINGS)


def documents(segments: list[Segment]) -> dict[str, list[ManifestDocument]]:
    """Return the documents of a dump by kind. Each is sound."""
    found = joined(dumped(INDEX, [UnmanagedSegment("acme", one) for one in segments]))
    flaws, read = check_documents(parse(found, "dumped.yaml"))
    assert [str(finding) for finding in findings(flaws)] == []
    kinds: dict[str, list[ManifestDocument]] = {"Audience": [], "Adopt": [], "Destination": []}
    for one in read:
        kinds[one.kind].append(one)
    return kinds


def segment(number: int, name: str, description: str = "") -> Segment:
    return Segment(
        str(number), name, description, "368477501993431040", "3239117063738827231", IdentifierType.EMAIL
    )


@settings(max_examples=60, deadline=None)
@given(name=sound, description=sound)
def test_text_without_invisible_characters_is_unchanged(name: str, description: str) -> None:
    assume(0 < len(name) <= 200 and len(description) <= 471 and not pii_kind(name + " " + description))
    assume(not any(map(is_invisible, name + description)))
    [audience] = documents([segment(1, name, description)])["Audience"]
    assert audience.value("title") == name
    assert audience.value("description") == (description or None)


@settings(max_examples=60, deadline=None)
@given(found=st.lists(st.tuples(texts, texts), min_size=1, max_size=5))
def test_any_text_becomes_sound_manifests_with_unique_names(found: list[tuple[str, str]]) -> None:
    read = documents([segment(number, *one) for number, one in enumerate(found)])
    names = [one.name for one in read["Audience"]]
    assert len(set(names)) == len(names) == len(found)
    assert [one.value("address") for one in read["Adopt"]] == [f"offsite-email/{name}" for name in names]


@pytest.mark.parametrize("name", ["Jane (jane@example.com)", "+49 170 1234567", "0" * 64])
def test_personal_data_is_redacted_and_in_no_name(name: str) -> None:
    [audience] = documents([segment(7, name, name)])["Audience"]
    assert (audience.name, audience.value("title")) == ("segment-7", REDACTED)
    assert audience.value("description") == REDACTED
