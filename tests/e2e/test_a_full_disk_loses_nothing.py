"""A disk that is full at any write of a run: the error names it, nothing is lost, and a rerun completes."""

from collections import Counter

import pytest
from support import forked_command
from support.cli import Project, surroundings
from support.forked_command import Setup
from support.large_project import LargeProject, hashed, write_people
from support.small_disk import LimitedDisk

pytestmark = pytest.mark.promise("killed-processes")

PEOPLE = 200
BATCH = 100
MANY = 20_000
PAGE = 4096
FILES = ("/lock", "/key", "/head.json", "/resources/customer.buyers.json", "/resources/email.buyers.json")


def apply_in_want(project: Project, setup: Setup | None = None, **environ: str) -> tuple[int, str]:
    """Return how an apply without enough disk space ends. The error must name the disk, never a bug."""
    arguments = ("apply", "sandbox", "--yes")
    code, output = forked_command.run(project.root, arguments, surroundings(**environ), setup)
    assert code in (0, 10), output
    assert "Traceback" not in output
    said = " ".join(output.split())
    if code:
        assert "Error: " in said
        assert "→ " in said, "it doesn't say what to do"
    return code, said


def limited(largest: int) -> Setup:
    return Setup("support.full_disk", "limit_files", largest)


def repeated(project: Project) -> list[int]:
    """Batches that arrived again, segment by segment."""
    calls = Counter((call.segment_id, call.digest) for call in project.writes() if call.action)
    segments = {segment_id for segment_id, _ in calls}
    return [sum(times - 1 for (one, _), times in calls.items() if one == segment) for segment in segments]


def arrived(project: Project, people: int) -> bool:
    return project.members("customer") == {f"c{number}" for number in range(people)} and project.members(
        "email"
    ) == set(map(hashed, range(people)))


def test_the_next_apply_resumes_after_any_failed_write(tmp_path):
    """One run for each file of the state: from that one on, no byte can be written."""
    said, file, code = "", 0, 10
    while code:
        file += 1
        project = Project.make(tmp_path / str(file), batch_size=BATCH)
        write_people(project, range(PEOPLE))
        code, output = apply_in_want(project, Setup("support.full_disk", "fail_from", file))
        assert code == 0 or "the disk is full" in output
        said += output
        project.run("apply", "sandbox", "--yes")
        assert arrived(project, PEOPLE)
        assert all(times <= 1 for times in repeated(project))
    assert "No changes." in project.run("plan", "sandbox").said
    unbroken = said.replace(" ", "")  # long paths are broken where a line ends
    assert [name for name in (*FILES, "/snapshots/") if name not in unbroken] == []
    assert file > 20


@pytest.mark.parametrize(
    ("folder", "rooms"),
    [
        ("state", [0, PAGE, 2 * PAGE, 3 * PAGE, 5 * PAGE, 200_000, 500_000, 720_000]),
        ("cache", [0, PAGE, 200_000, 700_000, 1_200_000]),
    ],
)
def test_a_real_disk_that_is_full_is_reported_and_loses_nothing(tmp_path, folder, rooms):
    for room in rooms:
        project = Project.make(tmp_path / str(room), batch_size=MANY // 4)
        write_people(project, range(MANY))
        project.run("plan", "sandbox")
        with LimitedDisk.under(project.root / ".reconciler" / folder) as disk:
            with disk.but(room):
                code, said = apply_in_want(project)
            assert code == 10, f"{room} bytes are enough: {said}"
            assert "full" in said
            assert "free disk space" in said or "make room" in said
            project.run("apply", "sandbox", "--yes")
            assert arrived(project, MANY)
            assert all(times <= 1 for times in repeated(project))
            assert "No changes." in project.run("plan", "sandbox").said


def test_files_that_may_not_grow_are_reported_and_lose_nothing(tmp_path):
    """EFBIG at one size after the other: the lock, the key, the head, a snapshot, a resource state."""
    with LargeProject.gathered(tmp_path, range(5), batch=2, latency=0) as crowd:
        runs = [
            apply_in_want(crowd.project, limited(limit)) for limit in (0, 8, 40, 150, 400, 800, 1200, 1600)
        ]
        assert [code for code, _ in runs][:6] == [10] * 6
        assert "/lock: the file is larger" in runs[0][1]
        assert "ulimit -f" in runs[4][1]
        failed = sum(code == 10 for code, _ in runs)
        crowd.finish()
        assert crowd.holds_exactly(range(5))
        assert all(times <= failed for times in crowd.repeated().values())
        assert crowd.is_at_rest()


def test_rows_that_find_no_room_on_disk_are_not_blamed_on_the_source(tmp_path):
    """What doesn't fit in memory is spilled. A disk without room for that is no fault of a source file."""
    project = Project.make(tmp_path)
    write_people(project, range(600_000))
    code, said = apply_in_want(project, limited(1 << 20), RECONCILER_MEMORY_LIMIT="64MB")
    assert code == 10, said
    assert "buyers: reading its sources: a working file is larger than this process may write" in said
