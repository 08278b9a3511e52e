"""Twice as many manifests, or a value twice as long, take twice the work: counted, not timed."""

import difflib
from collections import Counter
from pathlib import Path

import pytest
import yaml
from support.manifest_project import Project

from reconciler.core.pii import pii_kind
from reconciler.manifests import suggestions as wording
from reconciler.manifests.syntax.files import parse

pytestmark = pytest.mark.promise("refused-early")

DESTINATION = (
    "---\nkind: Destination\nname: d{n}\ncredential: criteo\nseat: acme\nidentifierType: CustomerId\n"
)
AUDIENCE = (
    "---\nkind: Audience\nname: a{n}\ntitle: T{n}\ndestinations: [dd{n}]\n"
    "source: {{files: ['customers/*.csv']}}\ncolumns: {{CustomerId: customer_id}}\n"
)
FEW = 100
"""The names that a typo is compared with: here fewer, so that few documents are more than that."""
ROWS = {
    "sound documents": DESTINATION,
    "broken documents": "---\nkind: [\n",
    "documents of no kind": "---\nkind: x\n",
    "links that lead nowhere": DESTINATION + AUDIENCE,
}


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Count the steps of parsing and comparing."""
    counted: Counter[str] = Counter()
    parse_, close, looks = yaml.parse, difflib.get_close_matches, wording.pii_kind

    def parsed(text, *given, **named):
        counted["characters parsed"] += len(text)
        return parse_(text, *given, **named)

    def matched(word, possible, *given, **named):
        counted["names compared"] += len(possible)
        return close(word, possible, *given, **named)

    def looked(text):
        counted["names looked at"] += 1
        return looks(text)

    monkeypatch.setattr(yaml, "parse", parsed)
    monkeypatch.setattr(difflib, "get_close_matches", matched)
    monkeypatch.setattr(wording, "pii_kind", looked)
    monkeypatch.setattr(wording, "_COMPARED", FEW)
    return counted


@pytest.mark.parametrize("kind", ROWS)
def test_twice_as_many_documents_are_twice_the_work(tmp_path: Path, steps: Counter[str], kind: str) -> None:
    counts = []
    for number in (FEW * 6 // 5, FEW * 12 // 5):
        project = Project(tmp_path / str(number))
        project.write("audiences/more.yaml", "".join(ROWS[kind].format(n=n) for n in range(number)))
        steps.clear()
        found = project.findings()
        assert (len(found) >= number) == (kind != "sound documents")
        counts.append(dict(steps))
    small, large = counts
    assert large["characters parsed"] <= 2.2 * small["characters parsed"]
    for what in ("names compared", "names looked at"):
        assert large.get(what, 0) <= 2.2 * small.get(what, 0) + 100


@pytest.mark.parametrize(
    "value", ["1" * 400_000, "a" * 400_000, "1" + "_" * 400_000, "a." * 200_000, "x+1" * 130_000]
)
def test_a_long_value_ends(value: str) -> None:
    """Each of them took an hour where every character was the start of another look."""
    assert pii_kind(value) == ""
    [document] = parse(f"kind: {value}\n", "a.yaml").documents
    assert document.kind == value


def test_an_address_is_found_wherever_it_begins() -> None:
    for before in ("", " ", "%", "<", "a.b.", "a" * 1000, "+-._", "x@", "é"):
        assert pii_kind(f"{before}jane@example.com") == "an e-mail address"
