"""Validates printed and saved JSON against the published schemas."""

import json
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from referencing import Registry, Resource

SCHEMAS = Path(__file__).parents[2] / "schemas"
OUTPUTS = SCHEMAS / "output"


def follows(file: Path, document: object) -> None:
    """AssertionError with every deviation of a document from a schema."""
    registry: Registry[Any] = Registry().with_resources(
        (one.name, Resource.from_contents(json.loads(one.read_text()))) for one in file.parent.glob("*.json")
    )
    validator = Draft202012Validator({"$ref": file.name}, registry=registry)
    wrong = [f"{error.json_path}: {error.message}" for error in validator.iter_errors(document)]
    assert wrong == []


def output(printed: str) -> dict[str, Any]:
    """The document that a command printed, which follows the schema of its `document_type`."""
    document: dict[str, Any] = json.loads(printed)
    follows(OUTPUTS / f"{document['document_type'].replace('_', '-')}.schema.json", document)
    return document
