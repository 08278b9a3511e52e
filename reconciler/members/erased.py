"""Erased members in rows and snapshots, by the keyed digests of the erasure list."""

from collections.abc import Mapping
from dataclasses import dataclass

import duckdb

from reconciler.core.erasure import ErasureList
from reconciler.core.members import EMPTY_SNAPSHOT, Kind, SnapshotRef
from reconciler.core.model import Hashing, IdentifierType
from reconciler.members import identifier_sql as sql
from reconciler.members.bit_sets import empty
from reconciler.members.database import blob
from reconciler.members.identifier_sql import Class
from reconciler.members.snapshots import Snapshots
from reconciler.members.staged_rows import StagedRows, counted

BLOCK = 64
"""Bytes of a block of SHA-256, by which HMAC pads its key."""
_CLASSES = {Hashing.NONE: Class.PLAIN, Hashing.MD5: Class.MD5, Hashing.SHA256: Class.SHA256}


@dataclass(frozen=True, slots=True)
class ErasedMembers:
    """Tests in SQL. `load` comes first: it creates the table of digests, which is gone with its cursor."""

    erasures: ErasureList

    @property
    def types(self) -> frozenset[IdentifierType]:
        return frozenset(one.identifier_type for one in self.erasures.content.erased)

    def load(self, cursor: duckdb.DuckDBPyConnection) -> None:
        digests = [digest for one in self.erasures.content.erased for digest in one.digests]
        cursor.execute(
            "CREATE OR REPLACE TEMP TABLE erased AS "
            "SELECT unhex(hex) AS digest FROM (SELECT unnest(?::VARCHAR[]) AS hex)",
            [digests],
        )

    def test(self, value: str, found: str, identifier_type: IdentifierType) -> str:
        """Return whether a canonical value of the class `found` is erased; never NULL."""
        erased = self.erasures.of_type(identifier_type)
        if erased is None:
            return "false"
        classes = frozenset(int(_CLASSES[one]) for one in erased.known)
        tests = (
            f"({test} AND {self._digest(identifier_type, probe)} IN (SELECT digest FROM erased))"
            for probe, test in sql.probes(value, found, classes)
        )
        return f"coalesce({' OR '.join(tests)}, false)"

    def _digest(self, identifier_type: IdentifierType, text: str) -> str:
        """Return `ErasureList.digest` in SQL: HMAC with each key in turn."""
        digest = f"encode('{identifier_type}:' || {text})"
        for key in self.erasures.keys:
            inner, outer = (
                blob(bytes(byte ^ pad for byte in key.ljust(BLOCK, b"\0"))) for pad in (0x36, 0x5C)
            )
            digest = f"unhex(sha256({outer} || unhex(sha256({inner} || {digest}))))"
        return digest

    def drop(self, cursor: duckdb.DuckDBPyConnection, staged: StagedRows) -> Mapping[int, int]:
        """Take rows with an erased identifier from all audiences. Returns how many, by audience."""
        if not self.erasures:
            return {}
        self.find(cursor, staged)
        these = "rowid IN (SELECT row FROM erased_rows)"
        rows = f"(SELECT {staged.sets.listed('k')}, 0 AS class, n FROM staged WHERE {these})"
        found = counted(cursor, staged.sets, rows, "k")
        nobody = ", ".join(f"{one} = {empty()}" for one in staged.sets.columns("k"))
        cursor.execute(f"UPDATE staged SET {nobody} WHERE {these}")
        return {audience: sum(counts.values()) for audience, counts in found.items()}

    def find(self, cursor: duckdb.DuckDBPyConnection, staged: StagedRows) -> None:
        """Fill `erased_rows`, the rows with an erased identifier that some audience keeps."""
        self.load(cursor)
        tests = " OR ".join(
            self.test(f"v{index}", f"c{index}", one.identifier_type)
            for index, one in enumerate(staged.scan.identifiers)
        )
        cursor.execute(
            "CREATE OR REPLACE TEMP TABLE erased_rows AS SELECT rowid AS row FROM staged "
            f"WHERE {staged.sets.any('k')} AND ({tests})"
        )

    def beside(
        self, cursor: duckdb.DuckDBPyConnection, staged: StagedRows
    ) -> Mapping[IdentifierType, frozenset[str]]:
        """Return all identifiers of the rows with an erased identifier."""
        self.find(cursor, staged)
        found: dict[IdentifierType, frozenset[str]] = {}
        for index, one in enumerate(staged.scan.identifiers):
            rows = cursor.execute(
                f"SELECT DISTINCT v{index} FROM staged WHERE rowid IN (SELECT row FROM erased_rows) "
                f"AND {sql.usable(f'c{index}')} AND v{index} IS NOT NULL"
            ).fetchall()
            known = found.get(one.identifier_type, frozenset())
            found[one.identifier_type] = known | {str(row[0]) for row in rows}
        return found

    def members(
        self, cursor: duckdb.DuckDBPyConnection, snapshots: Snapshots, snapshot: SnapshotRef, kind: Kind
    ) -> SnapshotRef:
        """Return the erased members of a snapshot."""
        identifier_type, hashing = kind
        if not snapshot or identifier_type not in self.types:
            return EMPTY_SNAPSHOT
        self.load(cursor)
        value = "member" if hashing is Hashing.NONE else "lower(hex(member))"
        found = str(int(_CLASSES.get(hashing, Class.SHA256)))
        held = snapshots.relation(cursor, snapshot)
        query = f"SELECT member FROM {held} AS held WHERE {self.test(value, found, identifier_type)}"
        return snapshots.keep(cursor, query, hashing)
