"""`Adopt` documents in manifests: what they become, and what is wrong with them, with its place and fix."""

from pathlib import Path

import pytest
from support.manifest_project import Project

from reconciler.core.adoption import Adoption, Baseline
from reconciler.core.model import Address, SourceLocation
from reconciler.manifests import load

pytestmark = pytest.mark.promise("refused-early")

ADOPT, ENVIRONMENT = "adopt.yaml", "environment.yaml"
FIRST = 'kind: Adopt\naddress: offsite-email/lapsed-90d\nsegmentId: "400000000000000001"\nbaseline: reuse\n'
SECOND = '---\nkind: Adopt\naddress: onsite-customer/lapsed-90d\nsegmentId: "2"\nbaseline: replace\n'

WRONG = [
    ("offsite-email/lapsed-90d", "‸offsite-email/lapsed", "no audience has this address", "lapsed-90d"),
    ("offsite-email/lapsed-90d", "‸lapsed-90d", "`address` is not written", "destination/audience"),
    ("offsite-email/lapsed-90d", "onsite-customer/lapsed-90d", "another Adopt names this address", "one of"),
    ('"400000000000000001"', '"2"', "another Adopt names this segment", "remove one of the two"),
    ('"400000000000000001"', '‸"4e5"', "`segmentId` is not written", "quoted string of up to 19 digits"),
    ("baseline: reuse", "baseline: ‸union", "`baseline` is not one of", "reuse, assume, replace"),
    ("baseline: reuse", "baseline: reuse\nfile: ‸sent.csv", "`file` has no effect", "`baseline: assume`"),
    ("kind: Adopt\naddress", "‸kind: Adopt\nadress", "unknown key `adress`", "did you mean `address`?"),
]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = Project(tmp_path)
    made.write(ADOPT, FIRST + SECOND)
    (tmp_path / "data" / "sent.csv").write_text("email\n")
    return made


def test_documents_become_adoptions(project: Project) -> None:
    project.edit(ENVIRONMENT, "sample: {rows: 1000}\n", "")
    project.edit(ADOPT, "baseline: reuse", "baseline: assume\nfile: sent.csv")
    assert project.findings() == ()
    assert load(project.root, "sandbox").adoptions == (
        Adoption(
            Address("offsite-email", "lapsed-90d"),
            "400000000000000001",
            Baseline.ASSUME,
            SourceLocation("environments/sandbox/adopt.yaml", 2, 10),
            "sent.csv",
        ),
        Adoption(
            Address("onsite-customer", "lapsed-90d"),
            "2",
            Baseline.REPLACE,
            SourceLocation("environments/sandbox/adopt.yaml", 8, 10),
        ),
    )


@pytest.mark.parametrize(("old", "new", "problem", "remedy"), WRONG, ids=[case[2] for case in WRONG])
def test_what_is_wrong_has_a_place_and_a_fix(
    project: Project, old: str, new: str, problem: str, remedy: str
) -> None:
    place = project.edit(ADOPT, old, new)
    [finding] = project.findings()
    assert problem in finding.problem
    assert remedy in finding.remedy
    if "‸" in new and "unknown key" not in problem:
        assert finding.where == place


def test_assumed_members_need_a_file_that_exists(project: Project) -> None:
    project.edit(ENVIRONMENT, "sample: {rows: 1000}\n", "")
    project.edit(ADOPT, "baseline: reuse", "baseline: assume")
    [finding] = project.findings()
    assert "`file` is missing" in finding.problem
    place = project.edit(ADOPT, "baseline: assume", "baseline: assume\nfile: ‸gone.csv")
    [finding] = project.findings()
    assert (finding.where, "matches this pattern" in finding.problem) == (place, True)


def test_a_sample_of_assumed_members_is_refused(project: Project) -> None:
    place = project.edit(ADOPT, "baseline: reuse", "baseline: ‸assume\nfile: sent.csv")
    [finding] = project.findings()
    assert (finding.where, "sends a sample" in finding.problem) == (place, True)
