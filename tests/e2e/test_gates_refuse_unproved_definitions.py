"""`plan` and `apply` refuse a new definition without proof, and each form of the plan states the way out."""

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path

import pytest
from support import forked_command
from support.cli import surroundings
from support.promotion_repository import SURROUNDINGS, PromotionRepository, audience

from reconciler.core.endpoints import EndpointKind
from reconciler.core.model import Seat
from reconciler.core.portable_definition import portable_digest
from reconciler.core.promotion.lock import PromotedDefinition, PromotionLock, Proof
from reconciler.manifests.promotion_lock import lock_text, promotion_record

pytestmark = pytest.mark.promise("promotion")

GATES = "promotion: {from: sandbox, soak: 24h}\n"
LAPSED = "audiences/lapsed.yaml"
SEAT = Seat("368477501993431040", "3239117063738827231")


def lock_of(made: PromotionRepository) -> PromotionLock:
    lock = promotion_record(made.root, "production").lock
    assert lock
    return lock


def write_lock(made: PromotionRepository, change: Callable[[PromotedDefinition], PromotedDefinition]) -> None:
    lock = lock_of(made)
    changed = replace(lock, definitions=tuple(map(change, lock.definitions)))
    (made.folder("production") / "promotion.lock").write_bytes(lock_text(changed))


def proof_of(one: PromotedDefinition) -> Proof:
    verified_at = datetime.now(UTC) - timedelta(days=2)
    return Proof(portable_digest(one.digests), verified_at, EndpointKind.CRITEO, SEAT, 1000)


def run(made: PromotionRepository, *arguments: str) -> tuple[int, str]:
    return forked_command.run(made.root, arguments, surroundings(**SURROUNDINGS))


@pytest.fixture(scope="module")
def promoted(tmp_path_factory: pytest.TempPathFactory) -> PromotionRepository:
    """One audience that was promoted, with a proof that passes all gates; it is not applied yet."""
    made = PromotionRepository.make(tmp_path_factory.mktemp("promoted") / "work")
    (made.root / "data" / "people.csv").write_text("email,last_order\na@example.com,2\nb@example.com,3\n")
    made.write("sandbox", LAPSED, audience("lapsed"))
    made.commit()
    code, said = run(made, "promote", "sandbox", "production")
    assert code == 0, said
    environment = made.read("production", "environment.yaml")
    made.write("production", "environment.yaml", environment + GATES)
    write_lock(made, lambda one: replace(one, proof=proof_of(one)))
    return made


@pytest.fixture
def repository(promoted: PromotionRepository, tmp_path: Path) -> PromotionRepository:
    shutil.copytree(promoted.root, tmp_path / "work")
    return PromotionRepository(tmp_path / "work")


def forms_of(made: PromotionRepository, code: int) -> dict[str, str]:
    """Return the plan for production in every form, as words."""
    forms = ("--out", "p.json", "--markdown", "p.md", "--html", "p.html")
    ended, said = run(made, "plan", "production", *forms)
    assert ended == code, said
    saved = json.loads((made.root / "p.json").read_text())
    texts = {
        "text": said,
        "json": json.dumps(saved, ensure_ascii=False),
        "markdown": (made.root / "p.md").read_text(),
        "html": re.sub("<[^>]*>", " ", unescape((made.root / "p.html").read_text())),
    }
    return {form: " ".join(text.replace("`", "").replace("\\n", " ").split()) for form, text in texts.items()}


@dataclass(frozen=True)
class Case:
    """What is wrong, and what the plan states."""

    spoil: Callable[[PromotionRepository], None]
    problem: str
    remedy: str


def without_proof(made: PromotionRepository) -> None:
    write_lock(made, lambda one: replace(one, proof=None))


def with_proof(**changed: object) -> Callable[[PromotionRepository], None]:
    return lambda made: write_lock(
        made,
        lambda one: replace(one, proof=replace(proof_of(one), **changed)),  # type: ignore[arg-type]
    )


def without_lock(made: PromotionRepository) -> None:
    (made.folder("production") / "promotion.lock").unlink()


def edited_by_hand(made: PromotionRepository) -> None:
    file = made.folder("production") / "promotion.lock"
    file.write_text(file.read_text().replace('"sample_rows": 1000', '"sample_rows": 9'))


def other_title(made: PromotionRepository) -> None:
    made.edit("production", LAPSED, "title: Lapsed", "title: Gone")


CASES = {
    "not promoted": Case(
        without_lock, "it was not promoted from sandbox", "reconciler promote sandbox production"
    ),
    "unverified": Case(
        without_proof,
        "it is not verified in sandbox",
        "reconciler verify sandbox --only email/lapsed",
    ),
    "changed since verification": Case(
        with_proof(digest="0" * 64),
        "it changed in sandbox since it was verified",
        "reconciler verify sandbox --only email/lapsed",
    ),
    "another seat": Case(
        with_proof(seat=Seat("1", "2")),
        "it was verified at another seat than sandbox has now",
        "reconciler verify sandbox --only email/lapsed",
    ),
    "the emulator": Case(
        with_proof(endpoint=EndpointKind.EMULATOR),
        "it was verified on the emulator, and sandbox must be verified at Criteo",
        "promotion.allowEmulator: true",
    ),
    "soak": Case(
        with_proof(verified_at=datetime.now(UTC) - timedelta(hours=2, minutes=1)),
        "(limit 24 hours, promotion.soak)",
        "run again after",
    ),
    "edited by hand": Case(
        edited_by_hand,
        "the checksum does not match the content: the file is damaged or was edited by hand",
        "restore it with git",
    ),
    "another part": Case(other_title, "title differs from what was promoted from sandbox", "`promotion.own`"),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_every_form_states_the_problem_and_the_way_out(repository: PromotionRepository, case: Case) -> None:
    case.spoil(repository)
    texts = forms_of(repository, code=5)
    for form, text in texts.items():
        assert case.problem.replace("`", "") in text, form
        assert case.remedy.replace("`", "") in text, form
    assert '"cause": "promotion"' in texts["json"]
    assert run(repository, "apply", "production", "--yes")[0] == 5


def test_a_proved_definition_is_applied_and_its_members_need_no_proof(
    repository: PromotionRepository,
) -> None:
    assert run(repository, "apply", "production", "--yes")[0] == 0
    without_lock(repository)
    people = repository.root / "data" / "people.csv"
    people.write_text(people.read_text() + "c@example.com,4\n")
    code, said = run(repository, "apply", "production", "--members-only", "--yes")
    assert code == 0, said
    assert "1 applied" in said


def test_every_form_states_weaker_gates(repository: PromotionRepository) -> None:
    assert run(repository, "apply", "production", "--yes")[0] == 0
    weaker = "promotion: {from: sandbox, soak: 1h, verified: false}\n"
    repository.edit("production", "environment.yaml", GATES, weaker)
    for form, text in forms_of(repository, code=0).items():
        assert "promotion gate weakened: promotion.soak 24h → 1h" in text, form
        assert "promotion gate weakened: promotion.verified true → false" in text, form
    assert run(repository, "apply", "production", "--yes")[0] == 0
    assert "weakened" not in forms_of(repository, code=0)["text"]


def test_an_emulated_plan_notes_the_gates(repository: PromotionRepository) -> None:
    without_lock(repository)
    code, said = run(repository, "plan", "production", "--emulate")
    assert code == 0, said
    assert "the gates of production (`promotion`) are not applied with --emulate" in " ".join(said.split())


def test_an_audience_that_exists_only_here_is_applied(repository: PromotionRepository) -> None:
    without_lock(repository)
    repository.edit("production", "environment.yaml", GATES, GATES.replace("}", ", own: {lapsed: [all]}}"))
    code, said = run(repository, "apply", "production", "--yes")
    assert code == 0, said
    assert "email/lapsed: not promoted from sandbox, on purpose (promotion.own)" in said


def test_a_plan_without_gates_states_it_if_definitions_were_promoted(repository: PromotionRepository) -> None:
    repository.edit("production", "environment.yaml", GATES, "")
    code, said = run(repository, "plan", "production")
    assert code == 0, said
    assert "environment.yaml has no `promotion`: no gate checks changes" in " ".join(said.split())


def test_a_part_that_differs_on_purpose_is_applied_and_noted(repository: PromotionRepository) -> None:
    other_title(repository)
    own = GATES.replace("}", ", own: {lapsed: [title]}}")
    repository.edit("production", "environment.yaml", GATES, own)
    code, said = run(repository, "apply", "production", "--yes")
    assert code == 0, said
    assert "email/lapsed: title differs from sandbox on purpose (promotion.own)" in said


@pytest.mark.parametrize("source", ["staging", "production"])
def test_a_source_that_is_no_other_environment_is_noted(repository: PromotionRepository, source: str) -> None:
    repository.edit("production", "environment.yaml", "from: sandbox", f"from: {source}")
    code, said = run(repository, "validate", "production")
    assert code == 0, said
    assert f"there is no other environment {source} to promote from" in " ".join(said.split())
