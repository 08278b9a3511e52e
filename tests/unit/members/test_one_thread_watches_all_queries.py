"""One thread ends queries, however many there are: on request, or when their time is over."""

import threading

import duckdb
import pytest

from reconciler.core.errors import CancelledError
from reconciler.members.stopping import stoppable
from reconciler.members.time_limit import OverdueError, time_limit
from reconciler.members.watcher import Watcher

pytestmark = pytest.mark.promise("killed-processes")

ENDLESS = "SELECT count(DISTINCT sha256(a.i || ':' || b.i)) FROM range(1000000) a(i), range(1000000) b(i)"


def test_queries_start_no_threads_of_their_own():
    database = duckdb.connect()
    with stoppable(database, lambda: None) as cursor, time_limit(cursor, 3_600):
        before = threading.active_count()
    for _ in range(10):
        with stoppable(database, lambda: None) as cursor, time_limit(cursor, 3_600):
            cursor.execute("SELECT 1")
            assert threading.active_count() == before


def test_a_stop_request_and_a_time_limit_end_one_query_each():
    database, looks = duckdb.connect(), iter(range(20))

    def check() -> None:
        if next(looks, None) is None:
            raise CancelledError("stopped on request")

    with stoppable(database, lambda: None) as cursor:
        with pytest.raises(OverdueError), time_limit(cursor, 0.1):
            cursor.execute(ENDLESS)
        assert cursor.execute("SELECT 1").fetchone() == (1,)
    with pytest.raises(CancelledError), stoppable(database, check) as cursor, time_limit(cursor, 3_600):
        cursor.execute(ENDLESS)


def test_nothing_is_looked_at_after_its_context_ended():
    watcher, looked = Watcher(), threading.Event()
    seen: list[str] = []
    with watcher.watching(lambda: seen.append("first")), watcher.watching(looked.set):
        assert looked.wait(60)
    seen.clear()
    looked.clear()
    with watcher.watching(looked.set):
        assert looked.wait(60)
    assert seen == []


def test_a_look_that_raises_stops_no_later_one(monkeypatch):
    watcher, looked, failed = Watcher(), threading.Event(), threading.Event()
    monkeypatch.setattr(threading, "excepthook", lambda _: failed.set())

    def broken() -> None:
        raise AssertionError("a look that raises")

    with watcher.watching(broken):
        assert failed.wait(60)
    with watcher.watching(looked.set):
        assert looked.wait(60)
