"""Puts spans around methods of ports. The edges behind them know of no telemetry."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from enum import StrEnum
from functools import wraps
from typing import Any, cast

from reconciler.core.ports import MemberEngine, StateReader, StateStore, StateWriter
from reconciler.core.telemetry import SILENT, Attribute, SpanName, Telemetry


class StateRead(StrEnum):
    """Methods of `StateReader` that read."""

    HEAD = "head"
    RESOURCES = "resources"
    SNAPSHOT_FILE = "snapshot_file"
    READ_RECORDS = "read_records"
    VERIFICATIONS = "verifications"
    SERIES = "series"
    ERASURES = "erasures"
    VERSIONS = "versions"
    VERSION = "version"


class StateWrite(StrEnum):
    """Methods of `StateWriter` that write."""

    BEGIN_RUN = "begin_run"
    RECORD_APPROVAL = "record_approval"
    INITIALIZE = "initialize"
    WRITE = "write"
    DROP = "drop"
    STORE_SNAPSHOT = "store_snapshot"
    RESEAL = "reseal"
    WRITE_READ_RECORDS = "write_read_records"
    WRITE_VERIFICATIONS = "write_verifications"
    WRITE_SERIES = "write_series"
    WRITE_ERASURES = "write_erasures"
    REWRITE_VERSION = "rewrite_version"
    PURGE = "purge"
    PRUNE = "prune"


class EngineRead(StrEnum):
    """Methods of `MemberEngine` that read files."""

    BUILD = "build"
    IDENTIFY = "identify"
    LISTED = "listed"
    ERASED_ROWS = "erased_rows"


class EngineComparison(StrEnum):
    """Methods of `MemberEngine` that compare snapshots."""

    COMPARE = "compare"
    DELTA = "delta"
    WITHOUT = "without"
    ABANDON_TRANSFER = "abandon_transfer"
    MARK_UNCERTAIN = "mark_uncertain"


Spans = Mapping[str, tuple[SpanName, StrEnum]]


def _spans(kinds: Mapping[SpanName, type[StrEnum]]) -> Spans:
    return {one.value: (name, one) for name, kind in kinds.items() for one in kind}


OF_STATE = _spans({SpanName.STATE_READ: StateRead, SpanName.STATE_WRITE: StateWrite})
OF_ENGINE = _spans({SpanName.SOURCES: EngineRead, SpanName.MEMBERS: EngineComparison})


class _Observed:
    """Passes everything through to an object. The methods of `spans` run inside a span."""

    def __init__(self, behind: object, spans: Spans, telemetry: Telemetry) -> None:
        self._behind = behind
        self._spans = spans
        self._telemetry = telemetry

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._behind, name)
        return self._within(found, *self._spans[name]) if name in self._spans else found

    def _within(self, method: Callable[..., Any], name: SpanName, operation: StrEnum) -> Callable[..., Any]:
        @wraps(method)
        def run(*given: Any, **named: Any) -> Any:
            with self._telemetry.span(name, {Attribute.OPERATION: operation}):
                return method(*given, **named)

        return run


class _ObservedStore(_Observed):
    """A store. Its readers and writers are observed too."""

    def __init__(self, store: StateStore, telemetry: Telemetry) -> None:
        super().__init__(store, {}, telemetry)
        self._store = store

    def reader(self) -> StateReader:
        return cast("StateReader", _Observed(self._store.reader(), OF_STATE, self._telemetry))

    @contextmanager
    def lock(self, who: str) -> Iterator[StateWriter]:
        with ExitStack() as held:
            with self._telemetry.span(SpanName.STATE_LOCK):
                state = held.enter_context(self._store.lock(who))
            yield cast("StateWriter", _Observed(state, OF_STATE, self._telemetry))


def observed_store(store: StateStore, telemetry: Telemetry) -> StateStore:
    """Return the store, with spans around its locks, reads and writes."""
    return store if telemetry is SILENT else cast("StateStore", _ObservedStore(store, telemetry))


def observed_engine(engine: MemberEngine, telemetry: Telemetry) -> MemberEngine:
    """Return the engine, with spans around its readings and comparisons."""
    return engine if telemetry is SILENT else cast("MemberEngine", _Observed(engine, OF_ENGINE, telemetry))
