"""Random edits on both sides, promoted again and again: none that only production made is lost."""

import os
import re
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import pytest
from support.promotion_repository import PromotionRepository, audience

from reconciler.core.errors import ConfigurationError
from reconciler.operations.promote import PreparedPromotion, PromotionRequest, carry_out, prepare

pytestmark = pytest.mark.promise("promotion")

PARTS = 4
EDITS = int(os.environ.get("PROMOTION_EDITS", "500"))
ROUNDS = 5
"""Promotions of one repository, each after edits of both sides."""

FIELDS = {
    "title": re.compile(r"^title: (.*)$", re.MULTILINE),
    "description": re.compile(r"^description: (.*)$", re.MULTILINE),
    "where": re.compile(r'^  where: "(.*)"$', re.MULTILINE),
}
NAME = re.compile(r"^name: (.*)$", re.MULTILINE)
Fields = Mapping[str, str]
Audiences = dict[str, Fields]
"""The fields of each audience, by its name."""


def audiences(repository: PromotionRepository, environment: str) -> Audiences:
    return {
        NAME.findall(text)[0]: {name: found.findall(text)[0] for name, found in FIELDS.items()}
        for path, text in repository.texts(environment).items()
        if path.startswith("audiences/") and "<<<<<<<" not in text
    }


def merged(base: Fields | None, ours: Fields | None, theirs: Fields | None) -> Fields | None:
    """Return one audience after a promotion. ValueError if only a person can decide."""
    if ours == theirs or theirs == base:
        return ours
    if ours == base:
        return theirs
    if base is None or ours is None or theirs is None:
        raise ValueError
    return {name: _field(base[name], ours[name], theirs[name]) for name in base}


def _field(base: str, ours: str, theirs: str) -> str:
    if base != ours != theirs != base:
        raise ValueError
    return theirs if ours == base else ours


@dataclass
class Promotions:
    """One repository, what was promoted last, and edits that are drawn from `random`."""

    repository: PromotionRepository
    random: Random
    base: Audiences = field(default_factory=dict)
    number: int = 0
    conflicts: int = 0
    refused: int = 0

    def live(self) -> None:
        """Edit and promote, and see in the end that a second promotion changes nothing."""
        settled = False
        for _ in range(ROUNDS):
            for _ in range(self.random.randint(1, 4)):
                self.random.choice(EDITORS)(self, self.random.choice(("sandbox", "production")))
            self.repository.commit()
            settled = self.promote()
        if settled:
            again = self.prepared()
            assert not again.changed
            assert not again.conflicts

    def fresh(self) -> int:
        self.number += 1
        return self.number

    def file(self, environment: str) -> str:
        """Return one audience file, or "" if there is none."""
        found = [path for path in self.repository.texts(environment) if path.startswith("audiences/")]
        return self.random.choice(found) if found else ""

    def prepared(self) -> PreparedPromotion:
        return prepare(self.repository.root, PromotionRequest("sandbox", "production"), None)

    def promote(self) -> bool:
        """Return whether the sandbox was promoted: the result may be refused as invalid."""
        ours, theirs = (audiences(self.repository, name) for name in ("production", "sandbox"))
        before = self.repository.texts("production")
        try:
            prepared = self.prepared()
        except ConfigurationError:
            assert self.repository.texts("production") == before
            self.refused += 1
            self.align()
            return False
        carry_out(prepared)
        self.check(prepared, ours, theirs)
        if prepared.conflicts:
            self.resolve(prepared)
        self.repository.commit("Promote")
        self.base = theirs
        return True

    def check(self, prepared: PreparedPromotion, ours: Audiences, theirs: Audiences) -> None:
        """Compare each audience outside of conflicts with what both sides made of it."""
        after, certain = audiences(self.repository, "production"), True
        for name in {*ours, *theirs, *self.base}:
            try:
                wanted = merged(self.base.get(name), ours.get(name), theirs.get(name))
            except ValueError:
                certain = False
                continue
            if not prepared.conflicts:
                assert after.get(name) == wanted, name
        assert prepared.conflicts or certain

    def resolve(self, prepared: PreparedPromotion) -> None:
        """Take one side of each conflict, and leave each audience in one file."""
        self.conflicts += 1
        for path in prepared.conflicts:
            file = f"{prepared.folder.path}/{path}"
            stages = self.repository.git("ls-files", "--stage", "--", file)
            side = self.random.choice([one for one in ("2", "3") if f" {one}\t" in stages] or ["0"])
            if side == "0":
                self.repository.git("rm", "--quiet", "--force", "--", file)
            else:
                self.repository.write(
                    "production", path, self.repository.git("cat-file", "blob", f":{side}:{file}")
                )
        self.separate()

    def separate(self) -> None:
        """Remove a second file of the same audience."""
        seen = set()
        for path, text in self.repository.texts("production").items():
            name = NAME.findall(text)[0]
            if path.startswith("audiences/") and name in seen:
                self.repository.remove("production", path)
            seen.add(name)

    def align(self) -> None:
        """Correct what made the result invalid: production takes the names of the sandbox."""
        names = audiences(self.repository, "sandbox").keys()
        for path, text in self.repository.texts("production").items():
            if path.startswith("audiences/") and NAME.findall(text)[0] in names:
                self.repository.remove("production", path)
        self.repository.commit()


def add(world: Promotions, environment: str) -> None:
    """Add an audience; rarely one that both sides add."""
    name = f"a{world.fresh()}" if world.random.random() < 0.8 else "common"
    if name not in audiences(world.repository, environment):
        text = audience(name, title=f"T{world.fresh()}")
        world.repository.write(environment, f"audiences/{name}-{world.number}.yaml", text)


def edit(world: Promotions, environment: str) -> None:
    if path := world.file(environment):
        text, number = world.repository.read(environment, path), world.fresh()
        name = world.random.choice([*FIELDS])
        old = FIELDS[name].findall(text)[0]
        new = f"last_order > {number}" if name == "where" else f"{name} {number}"
        world.repository.edit(environment, path, old, new)


def remove(world: Promotions, environment: str) -> None:
    if world.random.random() < 0.4 and (path := world.file(environment)):
        world.repository.remove(environment, path)


def supersede(world: Promotions, environment: str) -> None:
    """Replace an audience by a similar one of another name."""
    if world.random.random() < 0.4 and (path := world.file(environment)):
        world.repository.remove(environment, path)
        add(world, environment)


def move(world: Promotions, environment: str) -> None:
    if path := world.file(environment):
        world.repository.move(environment, path, f"audiences/moved/{world.fresh()}.yaml")


EDITORS: tuple[Callable[[Promotions, str], None], ...] = (
    add,
    add,
    edit,
    edit,
    edit,
    edit,
    remove,
    supersede,
    move,
)


@pytest.mark.parametrize("part", range(PARTS))
def test_no_edit_of_production_is_lost(part: int) -> None:
    seen = conflicts = 0
    for seed in range(part, EDITS // ROUNDS, PARTS):
        with tempfile.TemporaryDirectory() as folder:
            world = Promotions(PromotionRepository.make(Path(folder)), Random(seed))  # noqa: S311 - no secret
            world.live()
            seen, conflicts = seen + ROUNDS, conflicts + world.conflicts
    assert 0 < conflicts < seen
