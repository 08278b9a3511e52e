"""A plan stopped while it scans, unpacks or downloads sources ends in time, and no member is left on disk."""

import gzip
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.cli import Project, surroundings
from support.fakes.object_stores import in_a_short_bucket
from support.object_store_proxy import StoreProxy, Trouble

from reconciler.cli import LONGEST_STOP

pytestmark = pytest.mark.promise("killed-processes")

IN_TIME = LONGEST_STOP + 10
"""As documented, and what a busy machine may add: without a way to stop, each of these takes minutes."""

SLOW = " and ".join(f"sha256(email || '{one}') <> ''" for one in range(400))


@contextmanager
def running(project: Project, *arguments: str, **environ: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        project.command(*arguments),
        cwd=project.root,
        env=surroundings(**environ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait(timeout=30)
        if process.stdout:
            process.stdout.close()


def until(process: subprocess.Popen[str], happened: Callable[[], object]) -> None:
    end = time.monotonic() + 60
    while not happened():
        assert process.poll() is None, "it ended before it could be stopped"
        assert time.monotonic() < end, "it did not begin"
        time.sleep(0.05)


def stopped(process: subprocess.Popen[str], number: signal.Signals = signal.SIGTERM) -> str:
    time.sleep(1)
    process.send_signal(number)
    said, _ = process.communicate(timeout=IN_TIME)
    assert process.returncode == 130, said
    return said


def left(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Its scan takes minutes, of which hardly anything is reading."""
    made = Project.make(tmp_path / "project")
    made.people(*range(1_000_000))
    file = made.root / "environments" / "sandbox" / "buyers.yaml"
    file.write_text(file.read_text().replace("]}", f'], where: "{SLOW}"}}'))
    return made


@pytest.mark.parametrize("command", [("plan",), ("apply", "--yes")], ids=lambda command: command[0])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_long_scan_ends(project: Project, command: tuple[str, ...], number: signal.Signals) -> None:
    cache = project.root / ".reconciler" / "cache"
    name, *rest = command
    with running(project, name, "sandbox", *rest) as process:
        until(process, lambda: list(cache.rglob("scratch-*")))
        said = stopped(process, number)
    assert "stopped on request" in said
    assert left(cache) == []


def test_unpacking_is_cancelled(project: Project, tmp_path: Path) -> None:
    """`validate` too, which has no folder of its own: that of the system holds what is packed."""
    (project.root / "data" / "people.csv.gz").write_bytes(_endless())
    file = project.root / "environments" / "sandbox" / "buyers.yaml"
    file.write_text(file.read_text().replace("people.csv", "people.csv.gz"))
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    for command in (("plan", "sandbox"), ("doctor", "sandbox"), ("validate",)):
        with running(project, *command, TMPDIR=str(temporary)) as process:
            places = (project.root / ".reconciler" / "cache", temporary)
            until(
                process, lambda places=places: [one for place in places for one in place.rglob("people.csv")]
            )
            assert "stopped on request" in stopped(process)
        assert left(project.root / ".reconciler" / "cache") == []
        assert list(temporary.iterdir()) == []


def _endless() -> bytes:
    """Half a megabyte that takes a minute to unpack, as its hundreds of members hold a megabyte each."""
    member = gzip.compress(b"person@example.com,1\n" * 100_000)
    return gzip.compress(b"email,id\n") + member * 20_000


@pytest.mark.parametrize("command", ["plan", "doctor"])
def test_a_slow_download_is_cancelled(tmp_path: Path, command: str) -> None:
    project = Project.make(tmp_path / "project")
    with in_a_short_bucket() as served, StoreProxy.before(served.environ["AWS_ENDPOINT_URL"]) as proxy:
        bucket = served.url.removesuffix("/state")
        settings = project.root / "environments" / "sandbox" / "environment.yaml"
        settings.write_text(settings.read_text().replace("root: data", f'root: "{bucket}/exports"'))
        served.opened(bucket).put("exports/people.csv", b"email,id\np1@example.com,c1\n")
        environ = dict(served.environ) | {"AWS_ENDPOINT_URL": proxy.url}
        slow = Trouble("slow", seconds=90, path="people.csv", times=1)
        with proxy.troubled(slow), running(project, command, "sandbox", **environ) as process:
            until(process, lambda: not proxy.ahead)
            assert "stopped on request" in stopped(process)
    assert left(project.root / ".reconciler" / "cache") == []
