"""`promote --check` accepts each lock that `promote` wrote, and finds what somebody changed in it by hand."""

from collections.abc import Callable, Container
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from support.cli import surroundings
from support.forked_command import run
from support.promotion_repository import DESTINATIONS, SURROUNDINGS, PromotionRepository, audience

from reconciler.core.endpoints import EndpointKind
from reconciler.core.errors import Finding
from reconciler.core.model import Address, Seat
from reconciler.core.promotion.lock import PromotionLock, proof_digest
from reconciler.core.promotion.proofs import KnownProofs, proofs_of
from reconciler.core.verification import Verification, VerificationOutcome
from reconciler.manifests.promotion_lock import lock_text, promotion_record
from reconciler.operations.check_promotion import check
from reconciler.operations.promote import PromotionRequest, carry_out, prepare
from reconciler.state.local_store import LocalStore

pytestmark = pytest.mark.promise("promotion")

LAPSED, LOYAL, MOVED = "audiences/lapsed.yaml", "audiences/loyal.yaml", "audiences/moved.yaml"
SEAT = Seat("368477501993431040", "3239117063738827231")
NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)


@pytest.fixture
def repository(tmp_path: Path) -> PromotionRepository:
    """One audience was promoted."""
    made = PromotionRepository.make(tmp_path / "work")
    made.write("sandbox", LAPSED, audience("lapsed"))
    made.commit()
    promote(made)
    return made


def promote(made: PromotionRepository, *only: str) -> None:
    prepared = prepare(made.root, PromotionRequest("sandbox", "production", only), None)
    assert not prepared.conflicts
    carry_out(prepared)
    made.commit("Promote")


def checked(
    made: PromotionRepository, *verified: Verification, earlier: Container[str] = ()
) -> tuple[Finding, ...]:
    known = KnownProofs(proofs_of(verified), earlier) if verified else None
    return check(made.root, "sandbox", "production", "", lambda *_: known)


def lock_of(made: PromotionRepository) -> PromotionLock:
    lock = promotion_record(made.root, "production").lock
    assert lock
    return lock


def promoted_addresses(made: PromotionRepository) -> list[str]:
    return [str(one.address) for one in lock_of(made).definitions]


def file_renamed_and_another_promoted(made: PromotionRepository) -> None:
    made.move("sandbox", LAPSED, MOVED)
    made.write("sandbox", LOYAL, audience("loyal"))
    made.commit()
    promote(made, "loyal")


def audience_promoted_without_its_changed_destination(made: PromotionRepository) -> None:
    made.edit("sandbox", LAPSED, "title: Lapsed", "title: Gone")
    made.write("sandbox", "destinations.yaml", f"{DESTINATIONS}nameSuffix: (all)\n")
    made.commit()
    promote(made, "lapsed")


def destination_promoted_without_its_changed_audience(made: PromotionRepository) -> None:
    made.edit("sandbox", LAPSED, "title: Lapsed", "title: Gone")
    made.write("sandbox", "destinations.yaml", f"{DESTINATIONS}nameSuffix: (all)\n")
    made.commit()
    promote(made, "destinations.yaml")


def everything_removed(made: PromotionRepository) -> None:
    made.remove("sandbox", LAPSED)
    made.commit()
    promote(made)


@pytest.mark.parametrize(
    "change",
    [
        file_renamed_and_another_promoted,
        audience_promoted_without_its_changed_destination,
        destination_promoted_without_its_changed_audience,
        everything_removed,
    ],
    ids=lambda one: one.__name__,
)
def test_each_lock_that_was_written_is_accepted(
    repository: PromotionRepository, change: Callable[[PromotionRepository], None]
) -> None:
    assert checked(repository) == ()
    change(repository)
    assert checked(repository) == ()


def test_an_unpromoted_change_of_the_source_is_not_recorded_as_promoted(
    repository: PromotionRepository,
) -> None:
    before = lock_of(repository).definitions
    destination_promoted_without_its_changed_audience(repository)
    repository.write("sandbox", LAPSED, audience("lapsed"))
    repository.commit()
    [found], [old] = lock_of(repository).definitions, before
    promote(repository)
    assert [found] == [*lock_of(repository).definitions]
    assert found != old


def test_a_manifest_outside_of_git_is_not_promoted(repository: PromotionRepository) -> None:
    (repository.root / ".gitignore").write_text(".reconciler/\nlocal.yaml\n")
    repository.commit()
    for name in ("sandbox", "production"):
        repository.write(name, "audiences/local.yaml", audience("local"))
    repository.edit("sandbox", LAPSED, "title: Lapsed", "title: Gone")
    repository.commit()
    promote(repository)
    assert promoted_addresses(repository) == ["email/lapsed"]


def test_files_outside_of_a_sparse_checkout_are_promoted(repository: PromotionRepository) -> None:
    repository.write("sandbox", LOYAL, audience("loyal"))
    repository.commit()
    repository.git("sparse-checkout", "set", "--no-cone", "/*", f"!/environments/sandbox/{LAPSED}")
    promote(repository)
    assert promoted_addresses(repository) == ["email/lapsed", "email/loyal"]


def forge(made: PromotionRepository, change: Callable[[PromotionLock], PromotionLock]) -> None:
    (made.folder("production") / "promotion.lock").write_bytes(lock_text(change(lock_of(made))))
    made.commit("Forge")


def with_file(**changed: str) -> Callable[[PromotionLock], PromotionLock]:
    return lambda lock: replace(lock, files=(replace(lock.files[0], **changed), *lock.files[1:]))


def with_another_definition(lock: PromotionLock) -> PromotionLock:
    [one] = lock.definitions
    return replace(lock, definitions=(one, replace(one, address=Address("email", "loyal"))))


def with_another_digest(lock: PromotionLock) -> PromotionLock:
    [one] = lock.definitions
    parts = (replace(one.parts[0], digest="a" * 64), *one.parts[1:])
    return replace(lock, definitions=(replace(one, parts=parts),))


FORGERIES: dict[str, tuple[Callable[[PromotionLock], PromotionLock], str]] = {
    "commit of another repository": (with_file(commit="1" * 40), "never had"),
    "content of another file": (with_file(path="audiences/other.yaml"), "never had"),
    "name of a branch": (with_file(commit="main"), "malformed: a commit"),
    "an option of git": (with_file(commit="--all"), "malformed: a commit"),
    "a definition": (with_another_definition, "do not have email/loyal as the lock states"),
    "a digest": (with_another_digest, "do not have email/lapsed as the lock states"),
    "a part less": (
        lambda lock: replace(lock, definitions=(replace(lock.definitions[0], parts=()),)),
        "malformed: the parts of a definition",
    ),
}


@pytest.mark.parametrize("forgery", FORGERIES.values(), ids=FORGERIES)
def test_a_forged_lock_with_a_right_checksum_is_found(
    repository: PromotionRepository, forgery: tuple[Callable[[PromotionLock], PromotionLock], str]
) -> None:
    change, problem = forgery
    forge(repository, change)
    assert problem in " ".join(one.problem for one in checked(repository))


def verification(made: PromotionRepository, at: datetime = NOW) -> Verification:
    [one] = lock_of(made).definitions
    counts = {"sent": 9, "rejected": 0, "arrived": 9, "matched": 5}
    return Verification(
        one.address,
        VerificationOutcome.VERIFIED,
        at,
        at,
        one.parts,
        EndpointKind.CRITEO,
        SEAT,
        9,
        "1",
        **counts,
    )


def test_a_proof_is_compared_with_the_state_of_the_source(repository: PromotionRepository) -> None:
    found = verification(repository)
    [proof] = proofs_of([found]).values()
    forge(
        repository,
        lambda lock: replace(lock, definitions=tuple(replace(one, proof=proof) for one in lock.definitions)),
    )
    assert checked(repository) == ()
    assert checked(repository, found) == ()
    earlier = verification(repository, NOW - timedelta(days=1))
    failed = replace(found, outcome=VerificationOutcome.TOO_FEW)
    clone = PromotionRepository(repository.root.with_name("clone"))
    repository.git("clone", "--quiet", f"file://{repository.root}", str(clone.root))
    code, said = run(clone.root, ("promote", "--check"), surroundings(**SURROUNDINGS))
    assert (code, "no proof was compared with the state of sandbox" in " ".join(said.split())) == (0, True)
    later = verification(repository, NOW + timedelta(days=1))
    [finding] = checked(repository, later)
    assert "does not prove email/lapsed" in finding.problem
    assert checked(repository, later, earlier={proof_digest(found.address, proof)}) == ()
    for known in (earlier, failed, replace(found, seat=Seat("1", "2"))):
        [problem] = checked(repository, known)
        assert problem.problem == "the state of sandbox does not prove email/lapsed as the lock states"


SANDBOX = ".reconciler/state/sandbox"


def reconciler(made: PromotionRepository, *arguments: str, code: int = 0) -> str:
    ended, said = run(made.root, arguments, surroundings(**SURROUNDINGS))
    assert ended == code, said
    return " ".join(said.split())


@pytest.fixture
def verified(tmp_path: Path) -> PromotionRepository:
    """One audience was verified twice in the sandbox, and promoted with the first proof."""
    made = PromotionRepository.make(tmp_path / "work")
    (made.root / "data" / "people.csv").write_text("email,last_order\na@example.com,2\nb@example.com,3\n")
    made.write("sandbox", LAPSED, audience("lapsed"))
    made.commit()
    reconciler(made, "apply", "sandbox", "--yes")
    for _ in range(2):
        reconciler(made, "emulator", "advance", "sandbox", "24h")
        reconciler(made, "verify", "sandbox")
        reconciler(made, "promote", "sandbox", "production")
        made.commit("Promote")
    return made


def test_a_proof_is_compared_with_the_series_of_the_source(verified: PromotionRepository) -> None:
    """The state keeps the newest verification only; the series has one point for each."""
    assert "is correct" in reconciler(verified, "promote", "--check")
    [one] = lock_of(verified).definitions
    assert one.proof
    newest = LocalStore(verified.root / SANDBOX, "sandbox").reader().verifications().verifications[0].at
    assert one.proof.verified_at < newest
    longer = replace(one.proof, verified_at=one.proof.verified_at - timedelta(days=2))
    forge(verified, lambda lock: replace(lock, definitions=(replace(one, proof=longer),)))
    said = reconciler(verified, "promote", "--check", code=5)
    assert "the state of sandbox does not prove email/lapsed as the lock states" in said
    reconciler(verified, "promote", "sandbox", "production")
    verified.commit("Promote again")
    assert "is correct" in reconciler(verified, "promote", "--check")
    [renewed] = lock_of(verified).definitions
    assert renewed.proof == replace(one.proof, verified_at=newest)


@pytest.mark.parametrize("file", ["head.json", "verifications.json", "series"])
def test_a_state_that_cannot_be_read_is_not_one_without_verifications(
    verified: PromotionRepository, file: str
) -> None:
    spoiled = verified.root / SANDBOX / file
    for place in [*spoiled.iterdir()] if spoiled.is_dir() else [spoiled]:
        place.unlink()
        place.mkdir()
    before = (verified.folder("production") / "promotion.lock").read_bytes()
    said = reconciler(verified, "promote", "sandbox", "production", code=10)
    assert "the state of sandbox can't be read, so it is unknown what is verified" in said
    assert (verified.folder("production") / "promotion.lock").read_bytes() == before
    said = reconciler(verified, "promote", "--check")
    assert "no proof was compared with the state of sandbox" in said
    assert "can't be read" in said


def test_one_change_does_not_edit_the_source_and_its_proof(repository: PromotionRepository) -> None:
    """The manifests of the source name the state that proves the lock."""
    repository.edit("sandbox", LAPSED, "title: Lapsed", "title: Gone")
    repository.commit()
    repository.git("switch", "--quiet", "--create", "change")
    promote(repository)
    assert checked(repository) == ()
    repository.edit("sandbox", "environment.yaml", "state/sandbox", "state/elsewhere")
    repository.commit()
    [finding] = checked(repository)
    assert finding.problem == "the same change edits environments/sandbox, which was never on main like this"
    assert finding.remedy
