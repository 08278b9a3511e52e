"""Folders that are columns: what arrives, and what is refused with its line."""

from pathlib import Path

import pytest
from support.manifest_project import Project
from unit.manifests.test_connections_are_declared import SOURCE as QUERY
from unit.manifests.test_connections_are_declared import made as with_a_connection

from reconciler.core.errors import ConfigurationError
from reconciler.core.model import Partition, PartitionType
from reconciler.manifests import load


def made(tmp_path: Path, partitions: str) -> Project:
    project = Project(tmp_path)
    audience = project.folder / "audiences" / "lapsed.yaml"
    before, _, after = audience.read_text().partition("source:\n")
    kept = after[after.index("columns:") :]
    files = next(line for line in after.splitlines() if "files:" in line)
    audience.write_text(f"{before}source:\n{files}\n  partitions: {partitions}\n{kept}")
    return project


def refused(tmp_path: Path) -> str:
    with pytest.raises(ConfigurationError) as found:
        load(tmp_path, "sandbox")
    return "\n".join(f"{one.where}: {one.problem} → {one.remedy}" for one in found.value.findings)


def test_partitions_arrive_with_their_types_in_their_order(tmp_path: Path) -> None:
    made(tmp_path, "{dt: date, Region: text, shard: integer}")
    [audience] = load(tmp_path, "sandbox").audiences
    assert audience.source.partitions == (
        Partition("dt", PartitionType.DATE),
        Partition("Region", PartitionType.TEXT),
        Partition("shard", PartitionType.INTEGER),
    )


@pytest.mark.parametrize(
    ("partitions", "problem"),
    [
        ("{dt: date, DT: text}", "this column is there twice, as dt"),
        ("{EMAIL: text}", "identifiers are never read from the names of folders"),
        ("{dt: timestamp}", "text, integer, date"),
        ('{"a b": text}', "letters, digits and _"),
        ("{}", "partitions"),
    ],
)
def test_an_unsound_declaration_is_refused(tmp_path: Path, partitions: str, problem: str) -> None:
    made(tmp_path, partitions)
    said = refused(tmp_path)
    assert "lapsed.yaml:" in said
    assert problem in said


def test_a_query_has_no_partitions(tmp_path: Path) -> None:
    with_a_connection(tmp_path, source=QUERY.replace("  maxAge", "  partitions: {dt: date}\n  maxAge"))
    assert "`partitions` names folders of `files`, and `source` has a `query`" in refused(tmp_path)
