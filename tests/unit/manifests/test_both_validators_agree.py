"""jsonschema finds no error in a manifest that the quick validator accepts."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema_rs import Draft202012Validator
from support.manifest_project import FILES

from reconciler.manifests import schema
from reconciler.manifests.syntax.files import parse

ROOT = Path(__file__).parents[3]


def parts(node: Any) -> list[dict[str, Any]]:
    """Every object in a schema."""
    children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    here = [node] if isinstance(node, dict) else []
    return here + [part for child in children for part in parts(child)]


PATTERNS = sorted(
    {
        part["pattern"]
        for kind in schema.KINDS
        for part in parts(schema.load(kind))
        if isinstance(part.get("pattern"), str)
    }
)
MANIFESTS = [
    *((file.name, file.read_text(encoding="utf-8")) for file in sorted(ROOT.glob("environments/**/*.yaml"))),
    *FILES.items(),
]
VALUES = st.none() | st.booleans() | st.text(max_size=8) | st.lists(st.text(max_size=3), max_size=2)


def documents(text: str) -> list[tuple[str, Any]]:
    return [(one.kind, one.root.value) for one in parse(text, "x.yaml").documents if one.kind in schema.KINDS]


def agreed(kind: str, manifest: Any) -> bool:
    quick = schema.accepts(kind, manifest)
    assert not quick or not [*schema.validator(kind).iter_errors(manifest)]
    return quick


@pytest.mark.parametrize(("name", "text"), [pytest.param(*one, id=one[0]) for one in MANIFESTS])
def test_manifests_of_this_repository_are_accepted(name: str, text: str) -> None:
    found = documents(text)
    assert found, name
    assert all(agreed(kind, manifest) for kind, manifest in found), name


def places(manifest: Any) -> list[tuple[Any, Any]]:
    """Every container with each of its keys or indexes."""
    steps = list(manifest) if isinstance(manifest, dict) else range(len(manifest))
    found = [(manifest, step) for step in steps]
    return found + [
        more for step in steps if isinstance(manifest[step], dict | list) for more in places(manifest[step])
    ]


@given(st.data())
def test_a_changed_manifest_is_judged_alike(data: st.DataObject) -> None:
    """One value is replaced, one key removed or one added, at any depth."""
    kind, manifest = data.draw(st.sampled_from([one for _, text in MANIFESTS for one in documents(text)]))
    manifest = copied(manifest)
    container, step = data.draw(st.sampled_from(places(manifest)))
    match data.draw(st.sampled_from(["replace", "remove", "add"])):
        case "replace":
            container[step] = data.draw(VALUES)
        case "remove":
            del container[step]
        case _ if isinstance(container, dict):
            container[data.draw(st.text(max_size=5))] = data.draw(VALUES)
        case _:
            container.append(data.draw(VALUES))
    agreed(kind, manifest)


def copied(value: Any) -> Any:
    """Without what the parser shares."""
    if isinstance(value, dict):
        return {key: copied(child) for key, child in value.items()}
    return [copied(child) for child in value] if isinstance(value, list) else value


@pytest.mark.parametrize("pattern", PATTERNS)
@given(data=st.data())
def test_a_pattern_means_the_same_to_both(pattern: str, data: st.DataObject) -> None:
    quick = Draft202012Validator({"pattern": pattern})
    slow = schema.validator_class()({"pattern": pattern})
    matching = st.from_regex(pattern)
    odd = st.sampled_from(
        ["\n", "\r\n", "\x0b", "\x1c", "\x1f", "\x85", "\u2028", "\u00a0", "\u0663", "\ufeff", "İ"]
    )
    text = data.draw(matching | st.text(max_size=20))
    place = data.draw(st.integers(0, len(text)))
    for one in (text, text[:place] + data.draw(odd) + text[place:]):
        assert slow.is_valid(one) or not quick.is_valid(one), repr(one)
