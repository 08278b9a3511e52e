"""The app on a real socket: same responses, simulated silence, and only on loopback."""

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from support.emulator import Client, World, mounted
from waitress.trigger import trigger

PEOPLE = [f"{number}@example.com" for number in range(200)]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with mounted(tmp_path) as world:
        yield world


@pytest.fixture
def served(world: World) -> Iterator[Client]:
    with world.emulator.serving() as url, httpx.Client(base_url=url, timeout=5) as http:
        client = Client(world.emulator, http)
        client.authorize()
        yield client


def test_a_socket_answers_as_in_process(served: Client, world: World) -> None:
    """Over one connection, with the world that the process sees."""
    segment = served.segment()
    served.add(segment, PEOPLE)
    assert world.emulator.members(segment) == set(PEOPLE)
    assert served.clear(segment).status_code == 204
    assert served.search().json() == world.client.search().json()


@pytest.mark.parametrize("kind", ["timeout-before", "timeout-after"])
def test_silence_is_a_closed_connection(served: Client, world: World, kind: str) -> None:
    """After the hold; the next call works."""
    segment = served.segment()
    world.emulator.fault(kind, "AddRemoveContactListByAudienceSegment", seconds=0.1)
    started = time.monotonic()
    with pytest.raises(httpx.RemoteProtocolError):
        served.add(segment, PEOPLE)
    assert time.monotonic() - started >= 0.1
    assert len(world.emulator.members(segment)) == (200 if kind == "timeout-after" else 0)
    assert served.search().status_code == 200


def test_an_impatient_client_times_out(served: Client, world: World) -> None:
    """Before the hold is over."""
    world.emulator.fault("timeout-before", seconds=0.3)
    served.http.timeout = 0.1
    with pytest.raises(httpx.ReadTimeout):
        served.search()


def test_calls_at_once_lose_nothing(served: Client, world: World) -> None:
    """Threads of one list: every member arrives, every call is in the history."""
    segment = served.segment()
    threads = [
        threading.Thread(target=served.add, args=(segment, PEOPLE[start : start + 10]))
        for start in range(0, 200, 10)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert world.emulator.members(segment) == set(PEOPLE)
    assert len(world.emulator.history()) == 23


def test_answers_can_be_slow(served: Client, world: World) -> None:
    """By a switch, to show what overlapping calls gain."""
    world.switch(latency=0.05)
    started = time.monotonic()
    served.me()
    assert time.monotonic() - started >= 0.05


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::", "example.com"])  # noqa: S104 - refused
def test_other_addresses_are_refused(world: World, host: str) -> None:
    """Before anything listens."""
    with pytest.raises(ValueError, match="loopback"):
        world.emulator.serve(host, 0, lambda _url: None)


def test_serve_says_where_and_ends_on_an_interrupt(tmp_path: Path) -> None:
    """In a process of its own, printing nothing but what `ready` prints."""
    script = f"""
import signal
from reconciler.emulator import Emulator
signal.signal(signal.SIGINT, signal.default_int_handler)  # the parent process may ignore it
with Emulator.open({str(tmp_path / "emulator.db")!r}) as emulator:
    emulator.serve("localhost", 0, lambda url: print(url, flush=True))
"""
    command = [sys.executable, "-W", "error", "-c", script]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert url.startswith("http://127.0.0.1:")
        assert httpx.get(f"{url}/2026-07/retail-media/me").status_code == 401
        process.send_signal(signal.SIGINT)
        try:
            assert process.communicate(timeout=10)[0] == ""
        finally:
            process.kill()  # or a server that does not hear would be waited for without end
    assert process.returncode == 0


def test_a_stop_in_the_moment_of_an_answer_closes_nothing_under_itself(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The end of another call wakes the loop first: it may leave, but the waker of the stop stays open."""
    wake = trigger._physical_pull

    def twice(waker: trigger) -> None:
        wake(waker)
        time.sleep(0.1)  # long enough for the loop to have left
        wake(waker)

    monkeypatch.setattr(trigger, "_physical_pull", twice)
    with world.emulator.serving() as url:
        assert httpx.get(url + "/nowhere").status_code == 404
