"""Methods of ports run inside spans, and everything else is passed through."""

import pytest
from support.fakes.state import MemoryStore
from support.recorded_telemetry import recorded

from reconciler.core.ports import MemberEngine, StateWriter
from reconciler.core.telemetry import SILENT
from reconciler.telemetry.observed_ports import OF_ENGINE, OF_STATE, observed_store


def test_each_observed_method_is_one_of_its_port() -> None:
    assert all(hasattr(StateWriter, name) for name in OF_STATE)
    assert all(hasattr(MemberEngine, name) for name in OF_ENGINE)


def test_reads_writes_and_the_lock_of_a_state_are_spans() -> None:
    made, store = recorded(), MemoryStore()
    observed = observed_store(store, made.telemetry)
    assert observed.reader().head() is None
    with observed.lock("mona") as state:
        state.begin_run()
        state.check_lock()
    assert observed.reader().head() == store.reader().head() is not None
    assert observed.holder() is None
    names = [(one.name, (one.attributes or {}).get("reconciler.operation")) for one in made.spans]
    assert names == [
        ("state.read", "head"),
        ("state.lock", None),
        ("state.write", "begin_run"),
        ("state.read", "head"),
    ]


def test_what_a_port_raises_is_raised() -> None:
    made = recorded()
    with pytest.raises(AttributeError):
        observed_store(MemoryStore(), made.telemetry).reader().unknown()  # type: ignore[attr-defined]


def test_without_telemetry_a_port_is_itself() -> None:
    store = MemoryStore()
    assert observed_store(store, SILENT) is store
