"""What happens to manifests between two promotions, case by case."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from support import forked_command
from support.cli import surroundings
from support.promotion_repository import SURROUNDINGS, PromotionRepository, audience

LAPSED, LOYAL = "audiences/lapsed.yaml", "audiences/loyal.yaml"


@dataclass
class Transcript:
    """A repository, and what was printed: commands, exit codes, git's status, and files of production."""

    repository: PromotionRepository
    lines: list[str] = field(default_factory=list)

    def run(self, *arguments: str) -> int:
        """Run reconciler and record it."""
        code, said = forked_command.run(self.repository.root, arguments, surroundings(**SURROUNDINGS))
        self.lines += [
            f"$ reconciler {' '.join(arguments)}",
            *said.rstrip("\n").splitlines(),
            f"exit {code}",
            "",
        ]
        return code

    def promote(self, *options: str) -> int:
        code = self.run("promote", "sandbox", "production", *options)
        self.record("git status", self.repository.git("status", "--short"))
        return code

    def promoted(self, *options: str) -> None:
        """Promote without conflicts, and commit."""
        assert self.promote(*options) == 0
        self.repository.commit("Promote")

    def record(self, title: str, text: str) -> None:
        self.lines += [f"# {title}", *text.rstrip("\n").splitlines(), ""]

    def files(self) -> None:
        """Record the manifests of production."""
        for path, text in self.repository.texts("production").items():
            self.record(f"production/{path}", text)

    @property
    def text(self) -> str:
        """Return the transcript without commits: they change with the format of the lock."""
        return re.sub(r"(?<=The manifests of )[0-9a-f]{40}", "COMMIT", "\n".join(self.lines))


Case = Callable[[Transcript], None]


def promoted_once(log: Transcript) -> PromotionRepository:
    """Two audiences were promoted and committed; the log begins afterwards."""
    repository = log.repository
    repository.write("sandbox", LAPSED, audience("lapsed"))
    repository.write("sandbox", LOYAL, audience("loyal"))
    repository.commit()
    log.promoted()
    log.lines.clear()
    return repository


def first_promotion(log: Transcript) -> None:
    log.repository.write("sandbox", LAPSED, audience("lapsed"))
    log.repository.commit()
    log.promoted()
    log.files()
    log.promote()


def only_the_source_changed(log: Transcript) -> None:
    repository = promoted_once(log)
    repository.edit("sandbox", LAPSED, "title: Lapsed", "title: Lapsed buyers")
    repository.commit()
    log.promoted()
    log.files()


def only_the_target_changed(log: Transcript) -> None:
    repository = promoted_once(log)
    repository.edit("production", LAPSED, "last_order > 1", "last_order > 30")
    repository.commit()
    log.promote()
    log.files()


def different_parts_changed(log: Transcript) -> None:
    repository = promoted_once(log)
    repository.edit("sandbox", LAPSED, "title: Lapsed", "title: Lapsed buyers")
    repository.edit("production", LAPSED, "last_order > 1", "last_order > 30")
    repository.commit()
    log.promoted()
    log.files()


def both_changed_alike(log: Transcript) -> None:
    repository = promoted_once(log)
    for name in ("sandbox", "production"):
        repository.edit(name, LAPSED, "title: Lapsed", "title: Lapsed buyers")
    repository.commit()
    log.promoted()
    log.files()


def conflict(log: Transcript) -> PromotionRepository:
    """Leave a conflict in the title of one audience."""
    repository = promoted_once(log)
    repository.edit("sandbox", LAPSED, "title: Lapsed", "title: Lapsed buyers")
    repository.edit("production", LAPSED, "title: Lapsed", "title: Buyers who lapsed")
    repository.edit("sandbox", LOYAL, "title: Loyal", "title: Loyal buyers")
    repository.commit()
    assert log.promote() == 8
    return repository


def both_changed_differently(log: Transcript) -> None:
    repository = conflict(log)
    log.record("git ls-files --unmerged", repository.git("ls-files", "--unmerged"))
    log.files()
    log.promote()
    repository.edit("production", LAPSED, conflicting(repository), "title: Buyers who lapsed\n")
    repository.commit("Promote")
    log.files()
    log.promote()


def conflicting(repository: PromotionRepository) -> str:
    """Return the text between the markers, and the markers."""
    text = repository.read("production", LAPSED)
    return text[text.index("<<<<<<<") : text.index("\n", text.index(">>>>>>>")) + 1]


def conflict_is_aborted(log: Transcript) -> None:
    conflict(log)
    log.promote("--abort")
    log.files()
    log.promote("--abort")


def second_promotion_after_a_conflict(log: Transcript) -> None:
    repository = conflict(log)
    repository.edit("production", LAPSED, conflicting(repository), "title: Buyers who lapsed\n")
    repository.commit("Promote")
    repository.edit("sandbox", LAPSED, "All of lapsed", "No order in a year")
    repository.commit()
    log.promoted()
    log.files()


def file_renamed(log: Transcript) -> None:
    repository = promoted_once(log)
    repository.move("sandbox", LAPSED, "audiences/retention/lapsed-buyers.yaml")
    repository.edit("production", LAPSED, "last_order > 1", "last_order > 30")
    repository.commit()
    log.promoted()
    log.files()


def file_renamed_on_both_sides(log: Transcript) -> None:
    """Production keeps its path, also in the next promotion."""
    repository = promoted_once(log)
    repository.move("sandbox", LAPSED, "audiences/retention/lapsed.yaml")
    repository.edit("sandbox", "audiences/retention/lapsed.yaml", "title: Lapsed", "title: Lapsed buyers")
    repository.move("production", LAPSED, "audiences/lost.yaml")
    repository.edit("production", "audiences/lost.yaml", "last_order > 1", "last_order > 30")
    repository.commit()
    log.promoted()
    log.files()
    log.promote()


def audience_replaced_by_a_similar_one(log: Transcript) -> None:
    """The edit of production is of the removed audience: it does not move to the new one."""
    repository = promoted_once(log)
    repository.remove("sandbox", LAPSED)
    repository.write("sandbox", "audiences/churned.yaml", audience("churned"))
    repository.edit("production", LAPSED, "last_order > 1", "last_order > 30")
    repository.commit()
    assert log.promote() == 8
    log.files()


def file_split_in_two(log: Transcript) -> None:
    repository = log.repository
    both = f"{audience('lapsed')}---\n{audience('loyal')}"
    repository.write("sandbox", "audiences/all.yaml", both)
    repository.commit()
    log.promoted()
    log.lines.clear()
    repository.remove("sandbox", "audiences/all.yaml")
    repository.write("sandbox", LAPSED, audience("lapsed"))
    repository.write("sandbox", LOYAL, audience("loyal"))
    repository.commit()
    log.promoted()
    log.files()


def file_deleted_in_the_source(log: Transcript) -> None:
    repository = promoted_once(log)
    repository.remove("sandbox", LAPSED)
    repository.commit()
    log.promoted()
    log.files()


def file_deleted_in_the_source_and_changed_in_the_target(log: Transcript) -> None:
    repository = promoted_once(log)
    repository.remove("sandbox", LAPSED)
    repository.edit("production", LAPSED, "last_order > 1", "last_order > 30")
    repository.commit()
    assert log.promote() == 8
    log.record("git ls-files --unmerged", repository.git("ls-files", "--unmerged"))
    repository.git("rm", "--quiet", "environments/production/audiences/lapsed.yaml")
    repository.commit("Promote")
    log.promote()


def file_deleted_in_the_target(log: Transcript) -> None:
    repository = promoted_once(log)
    repository.remove("production", LAPSED)
    repository.edit("sandbox", LOYAL, "title: Loyal", "title: Loyal buyers")
    repository.commit()
    log.promoted()
    log.files()


def document_moved_between_files(log: Transcript) -> None:
    repository = promoted_once(log)
    repository.remove("sandbox", LAPSED)
    repository.write("sandbox", LOYAL, f"{audience('loyal')}---\n{audience('lapsed')}")
    repository.commit()
    log.promoted()
    log.files()


def comments_moved(log: Transcript) -> None:
    repository = promoted_once(log)
    text = repository.read("sandbox", LAPSED)
    comment = "# shown at Criteo\n"
    repository.write("sandbox", LAPSED, text.replace(comment, "") + comment)
    repository.edit("production", LAPSED, "last_order > 1", "last_order > 30")
    repository.commit()
    log.promoted()
    log.files()


def squash_merged_history(log: Transcript) -> None:
    repository = promoted_once(log)
    repository.git("switch", "--quiet", "--create", "sandbox-change")
    repository.edit("sandbox", LAPSED, "title: Lapsed", "title: Lapsed buyers")
    repository.commit()
    repository.edit("sandbox", LAPSED, "All of lapsed", "No order in a year")
    repository.commit()
    log.promote()
    repository.git("switch", "--quiet", "main")
    repository.git("merge", "--quiet", "--squash", "sandbox-change")
    repository.commit("Squashed")
    repository.git("branch", "--quiet", "-D", "sandbox-change")
    repository.edit("production", LAPSED, "last_order > 1", "last_order > 30")
    repository.commit()
    log.promote("--commit")
    log.record("git log", repository.git("log", "--format=%s%n%n%b", "-1", "--stat", "--summary"))
    repository.git("switch", "--quiet", "main")
    repository.git("merge", "--quiet", "--squash", repository.git("branch", "--list", "promote-*").strip())
    repository.commit("Promote, squashed")
    log.promote()
    log.files()


def rebased_history(log: Transcript) -> None:
    repository = promoted_once(log)
    repository.edit("sandbox", LAPSED, "title: Lapsed", "title: Lapsed buyers")
    repository.commit()
    log.promote("--commit")
    branch = repository.git("branch", "--show-current").strip()
    repository.git("switch", "--quiet", "main")
    repository.edit("production", LOYAL, "last_order > 1", "last_order > 30")
    repository.commit()
    repository.git("rebase", "--quiet", "main", branch)
    repository.git("switch", "--quiet", "main")
    repository.git("merge", "--quiet", "--ff-only", branch)
    log.run("promote", "sandbox", "production", "--check")
    repository.edit("sandbox", LAPSED, "All of lapsed", "No order in a year")
    repository.commit()
    log.promoted()
    log.files()


def one_file_then_the_other(log: Transcript) -> None:
    repository = promoted_once(log)
    for path, name in ((LAPSED, "Lapsed"), (LOYAL, "Loyal")):
        repository.edit("sandbox", path, f"title: {name}", f"title: {name} buyers")
    repository.commit()
    log.promoted("--only", "lapsed")
    log.files()
    log.promoted("--only", "email/loyal")
    log.files()
    log.promote()


def one_document_of_a_file(log: Transcript) -> None:
    repository = log.repository
    repository.write("sandbox", "audiences/all.yaml", f"{audience('lapsed')}---\n{audience('loyal')}")
    repository.commit()
    log.promote("--only", "lapsed")
    log.promote("--only", "lapse")
    log.promote("--only", "audiences/all.yaml", "--only", "email")
    log.files()


def two_promotions_in_review(log: Transcript) -> None:
    repository = promoted_once(log)
    for path, name in ((LAPSED, "Lapsed"), (LOYAL, "Loyal")):
        repository.edit("sandbox", path, f"title: {name}", f"title: {name} buyers")
    repository.commit()
    for name in ("lapsed", "loyal"):
        repository.git("switch", "--quiet", "--create", f"promote-{name}", "main")
        log.promoted("--only", name)
    repository.git("switch", "--quiet", "main")
    repository.git("merge", "--quiet", "promote-lapsed")
    repository.git("switch", "--quiet", "promote-loyal")
    log.run("promote", "sandbox", "production", "--check")
    repository.git("merge", "main", code=1)
    log.record("git status", repository.git("status", "--short"))
    repository.git("merge", "--abort")
    repository.git("switch", "--quiet", "--force-create", "promote-loyal", "main")
    log.promoted("--only", "loyal")
    log.run("promote", "sandbox", "production", "--check")


CASES: dict[str, Case] = {
    one.__name__: one
    for one in (
        first_promotion,
        only_the_source_changed,
        only_the_target_changed,
        different_parts_changed,
        both_changed_alike,
        both_changed_differently,
        conflict_is_aborted,
        second_promotion_after_a_conflict,
        file_renamed,
        file_renamed_on_both_sides,
        audience_replaced_by_a_similar_one,
        file_split_in_two,
        file_deleted_in_the_source,
        file_deleted_in_the_source_and_changed_in_the_target,
        file_deleted_in_the_target,
        document_moved_between_files,
        comments_moved,
        squash_merged_history,
        rebased_history,
        one_file_then_the_other,
        one_document_of_a_file,
        two_promotions_in_review,
    )
}
