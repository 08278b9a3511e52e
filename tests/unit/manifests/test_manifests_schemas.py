"""The schemas, the registry of kinds, the core and the manifests of this repository agree."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from support.manifest_project import FILES

from reconciler.core.model import HASHINGS, Api, Guards
from reconciler.manifests import load, schema
from reconciler.manifests.syntax.files import parse

ROOT = Path(__file__).parents[3]
SCHEMAS = {path.name: json.loads(path.read_text()) for path in (ROOT / "schemas").glob("*.json")}


def kinds(file: str) -> set[str]:
    return {branch["if"]["properties"]["kind"]["const"] for branch in SCHEMAS[file]["allOf"]}


def editor(file: str) -> Draft202012Validator:
    """A validator as an editor has it: references are followed from file to file."""
    registry: Registry[Any] = Registry().with_resources(
        (name, Resource.from_contents(content)) for name, content in SCHEMAS.items()
    )
    return Draft202012Validator({"$ref": file}, registry=registry)


def parts(node: Any) -> list[dict[str, Any]]:
    """Every object in a schema."""
    children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    here = [node] if isinstance(node, dict) else []
    return here + [part for child in children for part in parts(child)]


def test_every_kind_has_a_schema_and_every_schema_a_kind() -> None:
    """The registry, the files and the dispatching schema list the same."""
    others = {"manifest.schema.json", "common.schema.json", "event.schema.json", "plan.schema.json"}
    others |= {"notification.schema.json"}
    assert set(schema.KINDS.values()) == set(SCHEMAS) - others
    assert set(schema.KINDS) == kinds("manifest.schema.json")
    assert set(schema.KINDS) == set(SCHEMAS["manifest.schema.json"]["properties"]["kind"]["enum"])
    for kind, file in schema.KINDS.items():
        assert SCHEMAS[file]["properties"]["kind"] == {"const": kind}
        assert SCHEMAS[file]["title"] == kind


@pytest.mark.parametrize("name", SCHEMAS)
def test_schemas_are_schemas_and_teach(name: str) -> None:
    """Valid draft 2020-12; every pattern says what it wants; every key has a description."""
    Draft202012Validator.check_schema(SCHEMAS[name])
    assert all("patternErrorMessage" in part for part in parts(SCHEMAS[name]) if "pattern" in part)


@pytest.mark.parametrize("kind", schema.KINDS)
def test_every_key_is_described(kind: str) -> None:
    """What an editor shows on hover."""
    for part in parts(schema.load(kind)):
        for key, value in part.get("properties", {}).items():
            described = "description" in value or key in {
                "kind",
                "hashing",
                "grant",
                "identifierType",
                "baseline",
                "driver",
                "plan",
            }
            assert described or key == "name", f"{kind}: {key}"


@pytest.mark.parametrize("text", FILES.values(), ids=list(FILES))
def test_editors_and_the_loader_agree(text: str) -> None:
    """The dispatching schema accepts what we accept, and refuses it with another kind's key."""
    for document in parse(text, "x").documents:
        value = document.root.value
        assert editor("manifest.schema.json").is_valid(value)
        assert not editor("manifest.schema.json").is_valid(value | {"nothing": "x"})
        assert schema.validator(document.kind).is_valid(value)


def test_keys_that_are_not_text_are_those_of_the_schemas() -> None:
    """Traps leave these alone: quoting would not help there."""
    typed = {
        key
        for kind in schema.KINDS
        for part in parts(schema.load(kind))
        for key, value in part.get("properties", {}).items()
        if set(value.get("type", "")) & {"integer"} or value.get("type") == "boolean"
    }
    assert typed == schema.TYPED


@pytest.mark.parametrize(("identifier_type", "forms"), HASHINGS.items())
def test_forms_are_those_of_the_core(identifier_type: str, forms: tuple[str, ...]) -> None:
    """One table in the core, the same one in the schema."""
    every = SCHEMAS["destination.schema.json"]["properties"]["hashing"]["enum"]
    base = {
        "kind": "Destination",
        "name": "a",
        "credential": "b",
        "seat": "c",
        "identifierType": identifier_type,
    }
    accepted = [form for form in every if schema.validator("Destination").is_valid(base | {"hashing": form})]
    assert accepted == list(forms)


def test_defaults_in_descriptions_are_those_of_the_core() -> None:
    """An editor must not promise what the program doesn't do."""
    descriptions = {
        key: value["description"]
        for part in parts(schema.load("Environment"))
        for key, value in part.get("properties", {}).items()
        if "efault" in value.get("description", "")
    }
    guards, api = Guards(), Api(endpoint="emulator")
    for key, share in (
        ("maxShrink", guards.max_shrink),
        ("maxGrowth", guards.max_growth),
        ("maxInvalid", guards.max_invalid),
        ("maxMissing", guards.max_missing),
    ):
        assert f"Default {share:.0%}" in descriptions[key]
    assert f"Default {guards.min_members}" in descriptions["minMembers"]
    assert f"Default {api.version}" in descriptions["version"]
    assert f"Default {api.share:.0%}" in descriptions["share"]
    assert f"maximum: {api.batch_size}" in descriptions["batchSize"]
    assert f"Default {api.timeout.total_seconds():.0f}s" in descriptions["timeout"]
    assert f"Default {api.grace_period.total_seconds() / 60:.0f}m" in descriptions["gracePeriod"]


def environments() -> list[Path]:
    return sorted((ROOT / "environments").rglob("*.yaml"))


@pytest.mark.parametrize("path", environments(), ids=lambda path: str(path.relative_to(ROOT)))
def test_manifests_of_this_repository_point_editors_at_the_schema(path: Path) -> None:
    """A relative path, right from the file's own folder."""
    first = path.read_text().splitlines()[0]
    found = re.fullmatch(r"# yaml-language-server: \$schema=(\S+)", first)
    assert found
    assert (path.parent / found.group(1)).resolve() == ROOT / "schemas" / "manifest.schema.json"


def test_sandbox_and_production_share_their_audiences_and_destinations() -> None:
    """Byte for byte: promotion is a merge, and nothing else."""
    sandbox, production = ROOT / "environments" / "sandbox", ROOT / "environments" / "production"
    shared = ["destinations.yaml", *(f"audiences/{path.name}" for path in (sandbox / "audiences").iterdir())]
    assert len(shared) >= 5
    for name in shared:
        assert (sandbox / name).read_bytes() == (production / name).read_bytes(), name
    assert len(list((sandbox / "audiences").iterdir())) == len(list((production / "audiences").iterdir()))


@pytest.mark.parametrize("name", ["sandbox", "production"])
def test_manifests_of_this_repository_are_right(name: str) -> None:
    desired = load(ROOT, name)
    assert desired.notes == ()
    assert len(desired.audiences) >= 4
