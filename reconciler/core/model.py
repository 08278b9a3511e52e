"""The content of the manifests, resolved for one environment. Frozen, without secrets."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import timedelta
from enum import StrEnum
from functools import cached_property

from reconciler.core.promotion.gate import PromotionGate, gate_values
from reconciler.core.receivers import Receiver


class IdentifierType(StrEnum):
    """Kinds of identifier a contact list can hold (OpenAPI `RmContactListCreateV1`)."""

    EMAIL = "Email"
    USER_IDENTIFIER = "UserIdentifier"
    IDENTITY_LINK = "IdentityLink"
    CUSTOMER_ID = "CustomerId"
    PHONE_NUMBER = "PhoneNumber"


class Hashing(StrEnum):
    """The hashing of identifiers in requests."""

    NONE = "none"
    MD5 = "md5"
    SHA256 = "sha256"
    SHA256_OF_MD5 = "sha256-of-md5"


HASHINGS: dict[IdentifierType, tuple[Hashing, ...]] = {
    IdentifierType.EMAIL: (Hashing.NONE, Hashing.MD5, Hashing.SHA256, Hashing.SHA256_OF_MD5),
    IdentifierType.USER_IDENTIFIER: (Hashing.NONE,),
    IdentifierType.IDENTITY_LINK: (Hashing.NONE,),
    IdentifierType.CUSTOMER_ID: (Hashing.NONE,),
    IdentifierType.PHONE_NUMBER: (Hashing.NONE, Hashing.SHA256),
}


@dataclass(frozen=True, slots=True, order=True)
class Address:
    """Our stable key of a segment; survives renames at Criteo. Prints as `destination/audience`."""

    destination: str
    audience: str

    @classmethod
    def parse(cls, text: str) -> "Address":
        destination, _, audience = text.partition("/")
        return cls(destination, audience)

    def __str__(self) -> str:
        return f"{self.destination}/{self.audience}"


@dataclass(frozen=True, slots=True)
class SourceLocation:
    """The location of a value in the manifests: file relative to the project, line and column from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Seat:
    """A Criteo account and a retailer in it; both are digit strings of up to 19 digits."""

    account_id: str
    retailer_id: str


@dataclass(frozen=True, slots=True)
class Guards:
    """Limits that are checked before the first write. Shares are fractions: 0.2 is 20%."""

    max_shrink: float = 0.2
    max_growth: float = 1.0
    min_members: int = 1
    max_invalid: float = 0.1
    max_missing: float = 0.1
    max_suppression_shrink: float = 0.05


@dataclass(frozen=True, slots=True)
class ApprovalLimits:
    """How much an apply may differ from its approved plan. A tolerance of 0.02 is 2%."""

    tolerance: float = 0.02
    max_age: timedelta = timedelta(hours=72)


EMULATOR = "emulator"
CONSENT_URL = "https://consent.criteo.com/request"


@dataclass(frozen=True, slots=True)
class Api:
    """The connection to Criteo. `endpoint` is a base URL, or `emulator`.

    A `share` of 0.5 is 50% of the calls that Criteo allows each credential.
    """

    endpoint: str
    version: str = "2026-07"
    token_url: str = ""
    consent_url: str = CONSENT_URL
    batch_size: int = 50_000
    share: float = 1.0
    timeout: timedelta = timedelta(seconds=60)
    grace_period: timedelta = timedelta(minutes=15)

    @property
    def emulated(self) -> bool:
        return self.endpoint == EMULATOR


SEALING_KEY = "env:RECONCILER_STATE_KEY"


class Confirmation(StrEnum):
    """What a user types at a terminal before a command writes: the name of the environment, or y."""

    NAME = "name"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Retention:
    """The saved versions that a run that writes keeps: the newest ones, none older than `age`.

    `age` is None without a limit.
    """

    versions: int = 20
    age: timedelta | None = None


DEFAULT_RETENTION = Retention()


class RepairMode(StrEnum):
    """When Criteo's counts are read, so that a plan repairs what changed outside reconciler."""

    ASK = "ask"
    """Only if a user asks for statistics."""

    AUTO = "auto"
    """In every plan and apply."""


@dataclass(frozen=True, slots=True)
class Environment:
    """One folder under `environments/`.

    `confirm` is None if the endpoint decides. `sealing_key` is the reference of the key that encrypts
    `state:` secrets; `snapshot_key` is that of the key for snapshots, "" if they stay plain. `data_place` is
    the location of `data_root`; None if an option set it. `paused`: nothing is sent, except removals of
    suppressed members. `suppression_lists` apply to every audience, and to forgotten segments. `admins` are
    logins at the CI host. `receivers` are notified of runs.
    `spark` is where members are read and compared, instead of on this machine. `spark_token` is the reference
    of a token for that server.
    """

    name: str
    api: Api
    state_url: str
    data_root: str
    seats: tuple[tuple[str, Seat], ...]
    name_prefix: str = ""
    sample_rows: int | None = None
    guards: Guards = Guards()
    sealing_key: str = SEALING_KEY
    snapshot_key: str = ""
    earlier_snapshot_keys: tuple[str, ...] = ()
    retention: Retention = DEFAULT_RETENTION
    approval_limits: ApprovalLimits = ApprovalLimits()
    promotion: PromotionGate | None = None
    admins: tuple[str, ...] = ()
    confirm: Confirmation | None = None
    data_place: SourceLocation | None = None
    paused: bool = False
    suppression_lists: tuple["Exclusion", ...] = ()
    repair: RepairMode = RepairMode.ASK
    receivers: tuple[Receiver, ...] = ()
    spark: str = ""
    spark_token: str = ""

    def seat(self, name: str) -> Seat:
        return dict(self.seats)[name]


@dataclass(frozen=True, slots=True)
class Query:
    """A query whose rows are a source. `connection` is the name of a Connection, which `leads_to` a database.

    `table` is the table that `sql` reads as a whole; "" if the manifest has a query. `freshness` is a query
    for the time of the newest row; "" if the manifest has none. `place` is where `sql` begins, in a
    manifest or in a file of SQL. `written` is `sql` as it is there, and `freshness_written` is `freshness`.
    """

    connection: str
    sql: str
    freshness: str = ""
    leads_to: str = ""
    table: str = ""
    place: SourceLocation = SourceLocation("", 0, 0)
    written: str = ""
    freshness_place: SourceLocation = SourceLocation("", 0, 0)
    freshness_written: str = ""


class PartitionType(StrEnum):
    """What the values of a partition are."""

    TEXT = "text"
    INTEGER = "integer"
    DATE = "date"


@dataclass(frozen=True, slots=True)
class Partition:
    """A column whose values are in the names of folders."""

    column: str
    type: PartitionType


@dataclass(frozen=True, slots=True)
class Source:
    """The source of the rows: `files`, a `query`, or the folder of a `delta` or `iceberg` table.

    `pinned`: only the approved members may be sent. `root` and `sample_rows` come from the environment or an
    option, and apply to all sources. `place` is the location of the file names, the query, or the folder.
    `where_written` is `where` as the manifest contains it.
    """

    files: tuple[str, ...]
    where: str = ""
    max_age: timedelta | None = None
    pinned: bool = False
    root: str = ""
    sample_rows: int | None = None
    place: SourceLocation = SourceLocation("", 0, 0)
    where_place: SourceLocation = SourceLocation("", 0, 0)
    where_written: str = ""
    query: Query | None = None
    partitions: tuple[Partition, ...] = ()
    delta: str = ""
    iceberg: str = ""

    @property
    def lake_tables(self) -> Mapping[str, str]:
        """Return the folder of a Delta or an Iceberg table, by its key; nothing for other sources."""
        tables = {"delta": self.delta, "iceberg": self.iceberg}
        return {key: folder for key, folder in tables.items() if folder}


LIST_SHRINK = 0.05
"""The share of an exclusion list that may be missing where its entry sets none."""


class ListKind(StrEnum):
    """A SUPPRESSION list belongs to an environment and wins over every audience of it; its members opted out.

    An EXCLUSION list belongs to one audience; its members are not meant this time.
    """

    SUPPRESSION = "suppression"
    EXCLUSION = "exclusion"


@dataclass(frozen=True, slots=True)
class Exclusion:
    """A list whose members are dropped, as whole rows, from every destination.

    `max_shrink` is the share of its members that may be missing since it was last applied. `places` are the
    locations of each of `columns`, here and in an audience. `country` is the country of phone numbers without
    a country code; "" refuses these. Suppression lists have a `name`; a guard is their `max_shrink`.
    """

    files: tuple[str, ...]
    columns: tuple[tuple[IdentifierType, str], ...]
    place: SourceLocation = SourceLocation("", 0, 0)
    places: tuple[SourceLocation, ...] = ()
    country: str = ""
    max_shrink: float = LIST_SHRINK
    kind: ListKind = ListKind.EXCLUSION
    name: str = ""

    def is_matched(self, columns: Iterable[tuple[IdentifierType, str]]) -> bool:
        """Return whether a source with these columns has an identifier type of the list."""
        return not dict(self.columns).keys().isdisjoint(kind for kind, _ in columns)


@dataclass(frozen=True, slots=True)
class Audience:
    """A named list of members and its source.

    `paused`: it or its environment is paused. `protected`: its segments are never replaced, emptied or
    deleted. `suppression_lists` are those of its environment.
    """

    name: str
    title: str
    description: str
    source: Source
    columns: tuple[tuple[IdentifierType, str], ...]
    exclusion_lists: tuple[Exclusion, ...] = ()
    guards: Guards = Guards()
    place: SourceLocation = SourceLocation("", 0, 0)
    places: tuple[SourceLocation, ...] = ()
    country: str = ""
    paused: bool = False
    protected: bool = False
    suppression_lists: tuple[Exclusion, ...] = ()

    @property
    def lists(self) -> tuple[Exclusion, ...]:
        """Return the lists that are matched with its source: of the environment, then its own."""
        matched = (one for one in self.suppression_lists if one.is_matched(self.columns))
        return (*matched, *self.exclusion_lists)


@dataclass(frozen=True, slots=True)
class SegmentKey:
    """The attributes of a segment that cannot change in place. A change of any of them means Replace."""

    account_id: str
    retailer_id: str
    identifier_type: IdentifierType
    hashing: Hashing


class PersonalData(StrEnum):
    """What a destination may send: IDs that are no personal data by themselves, hashes, or everything."""

    NONE = "none"
    HASHED = "hashed"
    RAW = "raw"


@dataclass(frozen=True, slots=True)
class Access:
    """The `access` of a destination: who approves its changes, and the personal data that it may send."""

    admin_only: bool = False
    pii: PersonalData = PersonalData.HASHED


@dataclass(frozen=True)
class SegmentSpec:
    """One audience in one destination: the segment that should exist at Criteo.

    `endpoint` is where Criteo is declared to be: the endpoint, and where tokens are issued. `title` is the
    name without the environment's prefix. `gate` is that of the environment. `exempt`: a suppression list
    that can't be matched does not block. `in_force` are the guards with overrides, None without any.
    """

    address: Address
    name: str
    description: str
    key: SegmentKey
    credential: str
    audience: Audience
    endpoint: tuple[str, str] = ("", "")
    place: SourceLocation = SourceLocation("", 0, 0)
    title: str = ""
    access: Access = Access()
    gate: PromotionGate | None = None
    exempt: bool = False
    in_force: Guards | None = None

    @property
    def guards(self) -> Guards:
        """Return the guards that hold: of the audience, with overrides."""
        return self.in_force or self.audience.guards

    @cached_property
    def definition(self) -> str:
        """Return the digest of all that a reviewer approves, without members and source locations.

        Guards and gates are part of it: one that is relaxed after the plan was approved changes the digest. A
        pause is not: it only leaves out what was approved.
        """
        return self.definition_with(gate_values(self.gate, self.address))

    def definition_with(self, gates: Mapping[str, str]) -> str:
        """Return what the definition would be with these gates (`gate_values`)."""
        audience, age = self.audience, self.audience.source.max_age
        stated: dict[str, object] = {
            "address": str(self.address),
            "name": self.name,
            "description": self.description,
            "key": _fields(self.key),
            "source": [audience.source.root, list(audience.source.files), audience.source.where],
            "sample": audience.source.sample_rows,
            "columns": sorted(audience.columns),
            "exclude": [_stated(one) for one in audience.exclusion_lists],
            "guards": _fields(audience.guards),
            "maxAge": age.total_seconds() if age else None,
            "reached": [*self.endpoint, self.credential],
        }
        if query := audience.source.query:
            stated["query"] = [query.connection, query.leads_to, query.sql, query.freshness]
        stated |= audience.source.lake_tables
        if partitions := audience.source.partitions:
            stated["partitions"] = [[one.column, one.type] for one in partitions]
        if audience.source.pinned:
            stated["pinned"] = True  # only then: what was applied before there was such a thing stays applied
        if self.access.admin_only:
            stated["adminOnly"] = True
        if audience.country:
            stated["defaultCountry"] = audience.country
        if gates:
            stated["promotion"] = dict(gates)
        if audience.protected:
            stated["protect"] = True
        if audience.suppression_lists:
            stated["suppress"] = [_stated_suppression(one) for one in audience.suppression_lists]
            stated["exempt"] = self.exempt
        return hashlib.sha256(json.dumps(stated, sort_keys=True).encode()).hexdigest()


def _fields(flat: SegmentKey | Guards) -> dict[str, object]:
    return {one.name: getattr(flat, one.name) for one in fields(flat)}


def _stated_suppression(one: Exclusion) -> list[object]:
    return [one.name, list(one.files), sorted(one.columns), one.country]


def _stated(one: Exclusion) -> list[object]:
    country = [one.country] if one.country else []
    return [list(one.files), sorted(one.columns), one.max_shrink, *country]
