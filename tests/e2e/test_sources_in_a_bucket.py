"""Sources in a bucket are read in place; no copy is left."""

import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.cli import Ended, Project
from support.fakes.object_stores import in_a_short_bucket

pytestmark = pytest.mark.promise("members")

NOWHERE = {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}


@dataclass(frozen=True)
class Exported:
    """A project whose `data.root` is in a bucket."""

    project: Project
    store: object
    environ: dict[str, str]
    requests: list[str]

    def people(self, *numbers: int) -> None:
        rows = "".join(f"person{number}@example.com,c{number}\n" for number in numbers)
        self.store.put("exports/people.csv", f"email,id\n{rows}".encode())

    def run(self, *arguments: str, code: int = 0, **environ: str) -> Ended:
        return self.project.run(*arguments, code=code, **(self.environ | environ))


@pytest.fixture
def exported(tmp_path: Path) -> Iterator[Exported]:
    project = Project.make(tmp_path)
    with in_a_short_bucket() as served:
        bucket = served.url.removesuffix("/state")
        settings = tmp_path / "environments" / "sandbox" / "environment.yaml"
        settings.write_text(settings.read_text().replace("root: data", f'root: "{bucket}/exports"'))
        yield Exported(project, served.opened(bucket), dict(served.environ), served.requests)


def test_members_are_those_of_the_bucket_and_no_copy_is_left(exported: Exported) -> None:
    exported.people(*range(500))
    assert "2 to create" in exported.run("plan", "sandbox").said
    exported.run("apply", "sandbox", "--yes")
    assert exported.project.members("customer") == {f"c{number}" for number in range(500)}
    assert "No changes." in exported.run("plan", "sandbox").said
    exported.people(*range(20, 515))
    exported.run("apply", "sandbox", "--yes")
    assert exported.project.members("customer") == {f"c{number}" for number in range(20, 515)}
    cache = exported.project.root / ".reconciler" / "cache"
    assert [path for path in cache.rglob("*") if path.is_file()] == []


def downloads(exported: Exported) -> list[str]:
    """Return the objects that the server was asked for since the last call; listings are of the bucket."""
    asked = [one.split("?")[0] for one in exported.requests if one.startswith("GET ")]
    exported.requests.clear()
    return [one for one in asked if one.count("/") > 2]


def test_unchanged_objects_are_not_downloaded_again(exported: Exported) -> None:
    exported.people(*range(500))
    time.sleep(2.1)  # an object that was written just before its listing is read once more
    exported.run("apply", "sandbox", "--yes")
    assert len(downloads(exported)) == 1
    said = exported.run("plan", "sandbox").said
    assert "No changes." in said
    assert "sources of 1 audience unchanged since" in " ".join(said.split())
    assert exported.requests
    assert downloads(exported) == []
    exported.run("plan", "sandbox", "--read-sources")
    assert len(downloads(exported)) == 1
    exported.people(*range(501))
    exported.run("plan", "sandbox", "--detailed-exitcode", code=2)
    assert len(downloads(exported)) == 1


def test_a_bucket_can_be_given_for_one_run(exported: Exported, tmp_path: Path) -> None:
    exported.people(*range(50))
    local = Project.make(tmp_path / "local")
    bucket = (exported.project.root / "environments/sandbox/environment.yaml").read_text().split('"')
    place = next(part for part in bucket if part.startswith("s3://"))
    assert "2 to create" in local.run("plan", "sandbox", "--data-root", place, **exported.environ).said


def test_validate_asks_no_store(exported: Exported) -> None:
    said = exported.run("validate", **NOWHERE).said
    assert "sources are in an object store" in said


def test_doctor_looks_at_sources_in_a_bucket(exported: Exported) -> None:
    exported.people(*range(50))
    assert "✓ sources" in exported.run("doctor", "sandbox").said
    exported.store.delete("exports/people.csv")
    said = exported.run("doctor", "sandbox", code=3).said
    assert "no file matches people.csv" in said


def test_what_is_wrong_with_the_bucket_is_said_before_anything_is_written(exported: Exported) -> None:
    said = exported.run("plan", "sandbox", code=5).said
    assert "no file matches people.csv" in said
    settings = exported.project.root / "environments" / "sandbox" / "environment.yaml"
    elsewhere = f"s3://no-bucket-{secrets.token_hex(3)}/exports"
    said = exported.run("plan", "sandbox", "--data-root", elsewhere, code=10).said
    assert "there is no such bucket" in said
    assert "data: {root: …}" in said
    assert settings.exists()
    assert exported.project.writes() == []


def test_a_folder_called_like_our_lock_is_a_folder(exported: Exported) -> None:
    """Our own files are next to the downloads, not among them."""
    exported.store.put("exports/lock/people.csv", b"email,id\nperson1@example.com,c1\n")
    audience = exported.project.root / "environments" / "sandbox" / "buyers.yaml"
    audience.write_text(audience.read_text().replace("people.csv", "lock/people.csv"))
    assert "2 to create" in exported.run("plan", "sandbox").said
