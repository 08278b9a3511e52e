"""Reads what --out has saved, to show it, or as what was approved."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reconciler import __version__
from reconciler.core.approval.model import ApprovedPlan
from reconciler.core.approval.validity import wrong_environment
from reconciler.core.errors import ConfigurationError, Finding, NotApprovedError, ReconcilerError
from reconciler.disk.atomic import read_file
from reconciler.manifests.schema import plan_schema
from reconciler.render.document.model import DocumentType
from reconciler.render.json.document import DIGEST, FORMAT_VERSION, Json, Saved, decoded, digest_of

LARGEST = 1 << 27
"""Bytes; a plan of a thousand addresses has one million."""
NOT_OURS = "save a plan with `reconciler plan ENV --out FILE`"
LOOK = "check the path, or save a plan with `reconciler plan ENV --out FILE`"
FETCH = "check the path, or fetch the plan's artifact"
TAKE_IT = "take the file from the run that made the approved plan, or plan again"
SAVED_BY = {DocumentType.PLAN: "plan", DocumentType.TEARDOWN: "teardown --plan"}
"""What an approval of each kind is saved by."""
AGAIN = "plan again, have that approved, and apply it"


@dataclass(frozen=True, slots=True)
class ReadApprovals:
    """Approvals by file name. `unfit` states why other files approve nothing here."""

    approvals: Mapping[str, ApprovedPlan]
    unfit: tuple[Finding, ...]


def read_saved(file: Path, name: str) -> Saved:
    """What was saved in a file, which messages call `name`.

    ConfigurationError when that is nothing that this version reads, StaleError when it was changed since.
    """
    content = _content(file, name, LOOK)
    _check_unchanged(content, name)
    if why := _of_another_format(content):
        raise ConfigurationError(f"{name}: {why}", remedy="use the version that saved it, or plan again")
    return _decoded(content, name)


def read_approvals(
    files: Mapping[str, Path], digests: Sequence[str], environment: str, kind: DocumentType
) -> ReadApprovals:
    """`digests`: one for each file in their order, or none. `kind`: what an approval is saved as.

    StaleError, with all of them, when files are not what they were when they were approved, or when none
    can approve anything in this environment.
    """
    approvals: dict[str, ApprovedPlan] = {}
    unfit, wrong, unread = list[Finding](), list[Finding](), 0
    for number, (name, file) in enumerate(files.items()):
        try:
            approved = _approved(file, name, digests[number] if digests else "", environment, kind)
        except ReconcilerError as error:
            wrong.append(Finding(name, error.problem.removeprefix(f"{name}: "), error.remedy))
            unread += isinstance(error, ConfigurationError)
            continue
        if isinstance(approved, str):
            unfit.append(Finding(name, approved))
        else:
            approvals[name] = approved
    if wrong:
        what = "the approval" if len(wrong) == 1 else "the approvals"
        problem = "this is not what was approved" if unread < len(wrong) else f"{what} can't be read"
        raise NotApprovedError(problem, findings=wrong)
    if not approvals:
        raise NotApprovedError(f"this approves nothing in {environment}", remedy=AGAIN, findings=unfit)
    return ReadApprovals(approvals, tuple(unfit))


def _approved(file: Path, name: str, digest: str, environment: str, kind: DocumentType) -> ApprovedPlan | str:
    """Return the approved plan, or why the file is not an approval here."""
    content = _content(file, name, FETCH)
    _check_unchanged(content, name)
    if digest and digest != content.get(DIGEST):
        problem = f"{name}: digest mismatch: it is not the approved plan"
        raise NotApprovedError(problem, remedy=TAKE_IT)
    if why := _of_another_format(content):
        return why
    saved = _decoded(content, name)
    if saved.document.header.document_type != kind:
        return f"it was not saved by `reconciler {SAVED_BY[kind]}`, and approves nothing"
    if saved.approved is None:
        return f"it is a plan that could not be made or applied: see `reconciler show {name}`"
    if saved.version.partition(".")[0] != __version__.partition(".")[0]:
        return f"it was made by reconciler {saved.version}, and this is {__version__}"
    return wrong_environment(saved.approved, environment) or saved.approved


def _content(file: Path, name: str, if_absent: str) -> Json:
    if not file.is_file():
        raise ConfigurationError(f"{name}: there is no such file", remedy=if_absent)
    content = read_file(file) if file.stat().st_size <= LARGEST else b""
    try:
        data = json.loads(content or b"", object_pairs_hook=_each_key_once, parse_float=_refused)
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, dict):
        raise _unreadable(name)
    return data


def _unreadable(name: str) -> ConfigurationError:
    problem = f"{name}: it is no plan that this version of reconciler reads"
    return ConfigurationError(problem, remedy=NOT_OURS)


def _each_key_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse duplicate keys: two readers could read different values under one digest."""
    if len({key for key, _ in pairs}) < len(pairs):
        raise ValueError
    return dict(pairs)


def _refused(_: str) -> float:
    """We write whole numbers only, and 1.0 passes for one."""
    raise ValueError


def _check_unchanged(content: Json, name: str) -> None:
    """Raise an error if the file was changed after it was saved."""
    try:
        changed = isinstance(content.get(DIGEST), str) and digest_of(content) != content[DIGEST]
    except RecursionError:
        raise _unreadable(name) from None
    if changed:
        problem = f"{name}: it was changed after it was saved"
        raise NotApprovedError(problem, remedy="plan again, and approve that")


def _of_another_format(content: Json) -> str:
    version = content.get("format_version")
    major = FORMAT_VERSION.partition(".")[0]
    if not isinstance(version, str) or version.partition(".")[0] == major or DIGEST not in content:
        return ""
    return f"its format is another one than {major}.x, which this version of reconciler reads"


def _decoded(content: Json, name: str) -> Saved:
    try:
        saved = decoded(content) if plan_schema().is_valid(content) else None
    except (ValueError, RecursionError):
        saved = None
    if saved is None:
        raise _unreadable(name)
    return saved
