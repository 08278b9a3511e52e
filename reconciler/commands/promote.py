"""`promote`: merges the manifests of one environment into another, by git, for review."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import click

from reconciler.commands.support.completions import environment_names
from reconciler.commands.support.options import CommonOptions, stop_event, with_options

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reconciler.commands.support.console import CommandConsole
    from reconciler.core.promotion.lock import Proof
    from reconciler.core.promotion.proofs import KnownProofs
    from reconciler.operations.promote import PreparedPromotion
    from reconciler.render.document.differences import DifferenceRow


BOTH_CHANGED = "both environments changed it"


@dataclass(frozen=True, slots=True)
class PromoteOptions:
    """What to promote, and what to do with the result."""

    source: Annotated[
        str, click.argument("source", metavar="FROM", default="", shell_complete=environment_names)
    ]
    target: Annotated[
        str, click.argument("target", metavar="TO", default="", shell_complete=environment_names)
    ]
    only: Annotated[
        tuple[str, ...],
        click.option(
            "--only",
            multiple=True,
            metavar="NAME",
            help="Promote only the file of this audience, destination or address, or this path. Repeatable.",
        ),
    ]
    branch: Annotated[
        str,
        click.option(
            "--branch",
            "branch",
            default="",
            metavar="BRANCH",
            help="Branch that pull requests merge into. Default: origin's default branch, or main.",
        ),
    ]
    markdown: Annotated[
        str | None,
        click.option("--markdown", metavar="FILE", help="Save the text of the pull request as Markdown."),
    ]
    commit: Annotated[
        bool, click.option("--commit", is_flag=True, help="Create a branch, and commit the result there.")
    ]
    check: Annotated[
        bool,
        click.option(
            "--check", is_flag=True, help="Change nothing; exit 5 unless promotion.lock is correct. For CI."
        ),
    ]
    abort: Annotated[
        bool, click.option("--abort", is_flag=True, help="Undo a promotion that is not committed.")
    ]
    common: CommonOptions


@click.command(name="promote")
@with_options(PromoteOptions)
@click.pass_obj
def command(stop: object, /, options: PromoteOptions) -> None:
    """Merge the manifests of FROM into TO with git. The result is in the working tree and the index.

    \b
    The merge compares three versions:
      base    FROM as it was last promoted (TO/promotion.lock)
      ours    TO as it is
      theirs  FROM as it is on the target branch
    Documents that belong to one environment stay: Environment, Credential and Connection. A
    conflict is one of git: resolve it, `git add`, and commit. Nothing is sent to Criteo.

    With --check, leave out FROM and TO to check every promotion.lock.

    \b
    Exit codes: 8 if there are conflicts, 5 if --check fails.
    """
    from reconciler.commands.support.console import screen
    from reconciler.manifests import find_root

    if sum((options.commit, options.check, options.abort)) > 1:
        raise click.UsageError("choose one of --commit, --check and --abort")
    if not options.target and not (options.check and not options.source):
        raise click.UsageError("name the environments FROM and TO")
    if options.source and options.source == options.target:
        raise click.UsageError("FROM and TO are the same environment")
    settings = options.common.settings()
    shown, root = screen(settings), find_root(settings.directory)
    if options.abort:
        _abort(root, options, shown)
    elif options.check:
        _check(stop, root, options, shown)
    else:
        _promote(stop, root, options, shown)


def _abort(root: Path, options: PromoteOptions, shown: "CommandConsole") -> None:
    from reconciler.operations.promote import abort
    from reconciler.render.numbers import counted

    paths = abort(root, options.target)
    shown.out.print(f"Restored {counted(len(paths), 'file')} of environments/{options.target}.")


def _check(stop: object, root: Path, options: PromoteOptions, shown: "CommandConsole") -> None:
    from reconciler.commands.support.promoting import known_proofs
    from reconciler.core.errors import (
        AuthenticationError,
        ConfigurationError,
        Finding,
        RefusedError,
        StorageError,
    )
    from reconciler.operations.check_promotion import check, promoted_environments

    settings = options.common.settings()
    ways = ((options.source, options.target),) if options.target else promoted_environments(root)
    findings: list[Finding] = []
    skipped: dict[str, str] = {}

    def known(name: str, proofs: "Iterable[Proof]") -> "KnownProofs | None":
        try:
            found = known_proofs(settings, name, proofs, stop_event(stop), shown)
        except (StorageError, ConfigurationError, AuthenticationError) as error:
            skipped[name] = error.problem
            return None
        if found is None:
            skipped[name] = f"{name} has no state here"
        return found

    for source, target in ways:
        found = check(root, source, target, options.branch, known)
        findings += found
        if not found:
            agrees = "agrees with git" if source in skipped else "is correct"
            shown.out.print(f"promotion.lock of {target} {agrees}.")
    for source, reason in skipped.items():
        click.echo(
            f"Warning: no proof was compared with the state of {source}: {reason}. Run `reconciler promote "
            f"--check` where that state can be read.",
            err=True,
        )
    if findings:
        raise RefusedError("promotion.lock is not correct", findings=findings)
    if not ways:
        shown.out.print("No environment has a promotion.lock.")


def _promote(stop: object, root: Path, options: PromoteOptions, shown: "CommandConsole") -> None:
    from reconciler.commands.support.outputs import check
    from reconciler.commands.support.promoting import known_proofs
    from reconciler.core.promotion.proofs import proved
    from reconciler.manifests.promotion_lock import promotion_record
    from reconciler.operations.promote import PromotionRequest, carry_out, commit, new_branch, prepare
    from reconciler.render.document.differences import difference_rows

    settings = options.common.settings()
    file = settings.directory / options.markdown if options.markdown else None
    if file:
        check({"markdown": file}, ())
    lock = promotion_record(root, options.target).lock
    recorded = [one.proof for one in lock.definitions if one.proof] if lock else []
    known = known_proofs(settings, options.source, recorded, stop_event(stop), shown)
    request = PromotionRequest(options.source, options.target, options.only, options.branch)
    prepared = prepare(root, request, known)
    if known is None:
        click.echo(
            f"Warning: {options.source} has no state here, so nothing counts as verified there.", err=True
        )
    proofs = proved(prepared.specs, known.newest if known else {})
    rows = difference_rows(prepared.comparison.differences, proofs) if prepared.comparison else ()
    branch = new_branch(prepared) if options.commit else ""
    if prepared.changed:
        carry_out(prepared)
    if file:
        _save(file, prepared, rows)
    _report(prepared, rows, shown)
    if prepared.changed and branch:
        commit(prepared, branch)
        shown.out.print(f"Committed to the branch {branch}. Push it, and open a pull request.")
    elif prepared.changed:
        shown.out.print(
            "The result is in the working tree and the index. Review it with `git diff --staged` and commit "
            f"it; `reconciler promote {options.source} {options.target} --abort` undoes it."
        )


def _save(file: Path, prepared: "PreparedPromotion", rows: "tuple[DifferenceRow, ...]") -> None:
    from reconciler.core.pii import redacted_path
    from reconciler.disk.atomic import replace_file
    from reconciler.render.markdown.promotion import PromotionText, promotion_markdown

    needs = prepared.comparison.needs if prepared.comparison else None
    text = PromotionText(
        prepared.request.source,
        prepared.request.target,
        prepared.lock.commit,
        rows,
        needs.files if needs else (),
        needs.credentials if needs else (),
        [redacted_path(path) for path in prepared.conflicts],
    )
    replace_file(file, promotion_markdown(text).encode())


def _report(
    prepared: "PreparedPromotion", rows: "tuple[DifferenceRow, ...]", shown: "CommandConsole"
) -> None:
    from reconciler.core.errors import Finding, PartialApplyError
    from reconciler.core.pii import redacted_path
    from reconciler.render.document.differences import totals
    from reconciler.render.terminal.differences import print_differences, print_needs

    request = prepared.request
    ways = f"{request.source} {request.target}"
    comparison = prepared.comparison
    if comparison is None:
        folder = prepared.folder.path
        raise PartialApplyError(
            f"the merge of {request.source} into {request.target} has conflicts",
            remedy=f"resolve them (`git mergetool`), then `git add` and commit; or undo the promotion with "
            f"`reconciler promote {ways} --abort`",
            findings=[
                Finding(f"{folder}/{redacted_path(path)}", BOTH_CHANGED) for path in prepared.conflicts
            ],
        )
    if not prepared.changed:
        shown.out.print(f"Nothing to promote: {request.target} has all of {request.source}.")
        return
    summary = totals(comparison.differences) or "No definition changes."
    print_differences(request.source, request.target, rows, summary, shown.out)
    print_needs(request.target, comparison.needs.files, comparison.needs.credentials, shown.out)
