"""Exported spans and metrics contain no identifier, token or secret."""

from collections.abc import Iterator
from functools import partial

import pytest
from leaks.injections import TELEMETRY_LEAKS, bug_telling_all, chatty, known_tokens
from leaks.markers import MARKERS
from leaks.project import leak_project, with_issued
from leaks.runner import LeakRunner
from support.otlp_receiver import TRACES, Receiver, receiving

pytestmark = pytest.mark.promise("private")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as server:
        yield server


def exported(receiver: Receiver, runner: LeakRunner) -> set[str]:
    """Return what the exports of a run reveal."""
    return {
        f"{what} in {path}" for path, content, _ in receiver.got for what in runner.markers.found_in(content)
    }


def test_no_export_of_a_run_has_a_marker(tmp_path, receiver) -> None:
    """Commands succeed, are refused, meet a failing Criteo, and crash with secrets in the exception."""
    runner, environ = leak_project(tmp_path), {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url}
    run = (known_tokens, chatty)
    crash = (*run, partial(bug_telling_all, "reconciler.criteo.wire_format:members_body"))
    assert runner.run("apply", "sandbox", "--yes", injections=crash, **environ).code == 1
    for arguments, code in (
        (("plan", "sandbox"), 0),
        (("apply", "sandbox", "--yes", "-v"), 0),
        (("apply", "sandbox", "--yes", MARKERS.people[0].email), 64),
        (("explain", "sandbox", f"raw/{MARKERS.people[0].email}"), 3),
    ):
        assert runner.run(*arguments, injections=run, **environ).code == code
    (runner.folder / "data" / "people.csv").write_text("email,id,phone\n")
    runner.run("plan", "sandbox", injections=run, **environ)
    runner.markers = with_issued(MARKERS, tmp_path)
    assert {path for path, _, _ in receiver.got} >= {TRACES}
    assert exported(receiver, runner) == set()
    assert runner.leaks() == set()


@pytest.mark.parametrize("leak", TELEMETRY_LEAKS)
def test_a_planted_leak_is_found(tmp_path, receiver, leak) -> None:
    injection, found = TELEMETRY_LEAKS[leak]
    runner = leak_project(tmp_path)
    runner.run(
        "apply",
        "sandbox",
        "--yes",
        injections=(known_tokens, injection),
        OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url,
    )
    runner.markers = with_issued(MARKERS, tmp_path)
    assert f"{found} in {TRACES}" in exported(receiver, runner)
