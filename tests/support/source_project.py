"""A data root with files, an audience that reads them, and the results."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import duckdb
import pytest

from reconciler.core.erasure import NO_ERASURES, ErasureList, added
from reconciler.core.errors import ConfigurationError
from reconciler.core.members import AudienceRequest, DropReason, Kind, SnapshotRef, TargetMembers
from reconciler.core.model import (
    Audience,
    Exclusion,
    Hashing,
    IdentifierType,
    Partition,
    Query,
    Source,
    SourceLocation,
)
from reconciler.core.ports import MemberEngine
from reconciler.members.data_root import LocalFolder
from reconciler.members.engine import DuckDbEngine
from reconciler.members.group_rows import RowsHere, Stage
from reconciler.members.member_changes import Compare, changed_here
from reconciler.members.queries.databases import NO_DATABASES, Databases
from reconciler.members.snapshots import reader
from reconciler.members.source_check import check_all
from reconciler.members.spark.changes import ClusterChanges
from reconciler.members.spark.cluster import Cluster
from reconciler.members.spark.staging import ClusterStage

EMAIL, CUSTOMER, PHONE = IdentifierType.EMAIL, IdentifierType.CUSTOMER_ID, IdentifierType.PHONE_NUMBER
TODAY = date(2026, 11, 24)
PLACE = SourceLocation("audiences/a.yaml", 5, 3)
LIST_PLACE = SourceLocation("audiences/a.yaml", 9, 5)


def md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass
class Project:
    """A data root, an audience that reads from it, and an engine."""

    root: Path
    work: Path
    audience: Audience
    sample_rows: int | None = None
    erasures: ErasureList = NO_ERASURES
    databases: Databases = NO_DATABASES
    cluster: Cluster | None = None

    def write(self, name: str, content: str | bytes) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())

    def parquet(self, name: str, select: str) -> None:
        duckdb.execute(f"COPY ({select}) TO '{self.root / name}' (FORMAT parquet)")

    def reads(
        self, *files: str, where: str = "", columns: Mapping[IdentifierType, str] | None = None
    ) -> "Project":
        source = replace(self.audience.source, files=files, where=where, delta="", iceberg="")
        named = tuple((columns or dict(self.audience.columns)).items())
        self.audience = replace(self.audience, source=source, columns=named)
        return self

    def queries(self, databases: Databases, query: Query) -> "Project":
        self.databases = databases
        self.audience = replace(self.audience, source=replace(self.audience.source, files=(), query=query))
        return self

    def delta(self, folder: str, where: str = "") -> "Project":
        source = replace(self.audience.source, files=(), delta=folder, where=where)
        self.audience = replace(self.audience, source=source)
        return self

    def iceberg(self, table: str, where: str = "") -> "Project":
        source = replace(self.audience.source, files=(), iceberg=table, where=where)
        self.audience = replace(self.audience, source=source)
        return self

    def partitions(self, *declared: Partition) -> "Project":
        self.audience = replace(self.audience, source=replace(self.audience.source, partitions=declared))
        return self

    def excludes(self, file: str, kind: IdentifierType = EMAIL, column: str = "email") -> "Project":
        listed = (*self.audience.exclusion_lists, Exclusion((file,), ((kind, column),), LIST_PLACE))
        self.audience = replace(self.audience, exclusion_lists=listed)
        return self

    def build(self, *wanted: tuple[IdentifierType, Hashing]) -> list[tuple[frozenset[str], TargetMembers]]:
        with self.engine() as engine:
            targets = build(engine, self.audience, wanted)
            for target in targets.values():
                assert target.rows == target.members.count + sum(count for _, count in target.drops)
                assert target.dropped(DropReason.MALFORMED) == sum(count for _, count in target.malformed)
            return [(look(engine, targets[kind].members), targets[kind]) for kind in wanted]

    def engine(self) -> DuckDbEngine:
        root, key = LocalFolder(self.root), b"k" * 32
        stage, compare = self.places()
        return DuckDbEngine(
            root,
            self.work,
            never,
            key,
            self.sample_rows,
            erasures=self.erasures,
            databases=self.databases,
            stage=stage,
            compare=compare,
        )

    def places(self) -> tuple[Stage, Compare]:
        """Where rows are read, a file by each task, and where sets are compared."""
        cluster = self.cluster
        if not cluster:
            return RowsHere, changed_here
        stage = ClusterStage(lambda _: cluster, self.root, self.erasures, share=1)
        return stage, ClusterChanges(stage, least=0)

    def erases(self, kind: IdentifierType, *identifiers: str) -> "Project":
        before = self.erasures or ErasureList(keys=(b"e" * 32, b"f" * 32))
        self.erasures = added(before, {kind: identifiers}, ())
        return self

    def emails(self) -> frozenset[str]:
        return self.build((EMAIL, Hashing.NONE))[0][0]

    def ids(self) -> frozenset[str]:
        return self.build((CUSTOMER, Hashing.NONE))[0][0]

    def problems(self) -> list[str]:
        """What the offline check says; building must say the same."""
        found = [
            f"{finding.where}: {finding.problem} → {finding.remedy}"
            for finding in check_all((self.audience,), str(self.root), TODAY, self.work)
        ]
        if found:
            with pytest.raises(ConfigurationError) as refused:
                self.build((self.audience.columns[0][0], Hashing.NONE))
            assert [f"{one.where}: {one.problem} → {one.remedy}" for one in refused.value.findings] == found
        return found

    def refusal(self) -> str:
        """Why the build fails, where a check can't see it."""
        with pytest.raises(ConfigurationError) as refused:
            self.build((self.audience.columns[0][0], Hashing.NONE))
        assert refused.value.__suppress_context__ or refused.value.__context__ is None
        return "\n".join(map(str, refused.value.findings))


def build(engine: MemberEngine, audience: Audience, kinds: Sequence[Kind]) -> Mapping[Kind, TargetMembers]:
    """Build the targets of one audience by itself. Raises the findings about its sources."""
    request = AudienceRequest(audience, tuple(kinds))
    found = engine.build([request], TODAY, lambda _: None)[audience.name]
    if isinstance(found, ConfigurationError):
        raise found
    return found


def never(snapshot: SnapshotRef) -> str:
    raise AssertionError(f"{snapshot} was never built here")


def look(engine: DuckDbEngine, snapshot: SnapshotRef) -> frozenset[str]:
    if not snapshot:
        return frozenset()
    rows = duckdb.execute(f"SELECT member FROM {reader(Path(engine.file(snapshot)))} AS s").fetchall()
    return frozenset(row[0] if isinstance(row[0], str) else row[0].hex() for row in rows)


def make(tmp_path: Path) -> Project:
    (tmp_path / "data").mkdir()
    (tmp_path / "work").mkdir(mode=0o700)
    audience = Audience(
        "a",
        "A",
        "",
        Source((), place=PLACE, where_place=PLACE),
        ((EMAIL, "email"), (CUSTOMER, "id")),
        place=PLACE,
    )
    return Project(tmp_path / "data", tmp_path / "work", audience)
