"""Run the experiments of one stage one by one, and always clean up."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import httpx

from fidelity import access, lists, members, names
from fidelity.experiment import Experiment
from fidelity.lab import Lab, Unseen
from fidelity.pace import Clock
from fidelity.settings import Settings

TIMEOUT = 120.0
NOW = (*access.EXPERIMENTS, *names.EXPERIMENTS, *members.EXPERIMENTS, *lists.NOW)
EVERY = (*NOW, *lists.RETURN)


@dataclass(frozen=True)
class Row:
    """`seen` is None if nothing was observed; then `detail` is the reason."""

    experiment: Experiment
    seen: object | None
    detail: str


@dataclass(frozen=True)
class Report:
    rows: tuple[Row, ...]
    left_behind: tuple[str, ...]
    notes: tuple[str, ...] = ()


def run(
    settings: Settings,
    clock: Clock,
    transport: httpx.BaseTransport | None = None,
    tell: Callable[[str], None] = lambda _line: None,
) -> Report:
    with httpx.Client(transport=transport, timeout=TIMEOUT, follow_redirects=False) as http:
        lab = Lab(http, settings, clock)
        if settings.stage == "leave":
            return _leave(lab, tell)
        lab.token()
        if settings.stage == "return":
            lists.remember(lab)
        report = _observe(lab, NOW if settings.stage == "now" else lists.RETURN, tell)
    if settings.stage == "return" and not report.left_behind:
        settings.notes.unlink()
    return report


def _observe(lab: Lab, experiments: Sequence[Experiment], tell: Callable[[str], None]) -> Report:
    rows: list[Row] = []
    left: list[str] = []
    with _cleaned(lab, left, tell):
        for experiment in experiments:
            tell(experiment.name)
            rows.append(_row(lab, experiment))
    return Report(tuple(rows), tuple(left))


def _leave(lab: Lab, tell: Callable[[str], None]) -> Report:
    """Remove everything if not all of it could be created."""
    lab.token()
    kept: dict[str, str] = {}
    left: list[str] = []
    with _cleaned(lab, left, tell, kept):
        tell("leaving lists to come back to")
        kept |= lists.leave(lab)
    return Report(
        (),
        tuple(left),
        (
            f'left: {len(kept)} segments whose names begin with "{lab.prefix}"',
            f'by hand, if you want delete-in-use: build an audience on "{lab.prefix} used"',
            "then, after 00:00 or 12:00 UTC and about five hours: CRITEO_FIDELITY_STAGE=return make fidelity",
        ),
    )


@contextmanager
def _cleaned(
    lab: Lab, left: list[str], tell: Callable[[str], None], kept: dict[str, str] | None = None
) -> Iterator[None]:
    try:
        yield
    finally:
        tell("cleaning up")
        try:
            left += lab.clean(keep=(kept or {}).values())
        except (Unseen, httpx.HTTPError):
            left.append(f'not known: look for segments whose names begin with "{lab.prefix}"')


def _row(lab: Lab, experiment: Experiment) -> Row:
    """Return a row without the text of a library's error, which may quote a request."""
    try:
        result = experiment.run(lab)
    except Unseen as reason:
        return Row(experiment, None, str(reason))
    except httpx.HTTPError as error:
        return Row(experiment, None, f"no answer: {type(error).__name__}")
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        return Row(experiment, None, f"an answer had another shape: {type(error).__name__}")
    return Row(experiment, result.value, result.detail)
