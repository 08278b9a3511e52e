"""`command:` uses the output of a program, and shows neither output nor arguments."""

import os
import time
from pathlib import Path

import pytest

from reconciler.core.errors import AuthenticationError, CancelledError
from reconciler.credentials.backends.command import CommandBackend

pytestmark = pytest.mark.promise("private")

PRIVATE = "s3cr3t-argument"


@pytest.fixture
def commands(tmp_path: Path) -> CommandBackend:
    return CommandBackend({"PATH": os.environ["PATH"], "ONLY": "this"}, tmp_path, lambda: None, limit=10)


def refused(commands: CommandBackend, line: str) -> AuthenticationError:
    with pytest.raises(AuthenticationError) as caught:
        commands.fetch(line)
    assert PRIVATE not in f"{caught.value!r} {caught.value.remedy}"
    return caught.value


def test_it_runs_in_the_project_with_the_environment_given(commands: CommandBackend, tmp_path: Path) -> None:
    script = tmp_path / "get-it"
    script.write_text('#!/bin/sh\necho "$ONLY:$HOME:$1:$(pwd)"\n')
    script.chmod(0o700)
    assert commands.fetch("./get-it 'two words'").reveal() == f"this::two words:{tmp_path}"


def test_no_shell_reads_the_line(commands: CommandBackend) -> None:
    assert commands.fetch("echo $ONLY; true | false").reveal() == "$ONLY; true | false"


def test_it_can_ask_nothing(commands: CommandBackend) -> None:
    assert "printed nothing" in refused(commands, "cat").problem


@pytest.mark.parametrize(
    ("script", "problem"),
    [
        ("exit 3", "sh ended with exit code 3"),
        ("kill -9 $$", "sh ended with signal 9"),
        ("echo ' '", "sh printed nothing"),
        (r"printf '\377\376'", "sh printed something that is no text"),
        ("yes | head -c 65537", "sh printed more than 65536 bytes"),
        ("yes", "sh printed more than 65536 bytes"),
    ],
)
def test_what_fails_is_named_by_its_kind_alone(commands: CommandBackend, script: str, problem: str) -> None:
    error = refused(commands, f'/bin/sh -c "echo {PRIVATE} >&2; {script}" {PRIVATE}')
    assert error.problem == f"the command {problem}"
    assert error.remedy.startswith("run it yourself")


def test_what_it_printed_before_it_failed_is_not_taken(commands: CommandBackend) -> None:
    assert "exit code 1" in refused(commands, f'sh -c "echo {PRIVATE}; exit 1"').problem


@pytest.mark.parametrize("program", ["no-such-program", "./no-such-program", "/etc/passwd"])
def test_a_program_that_cannot_be_started_is_named(commands: CommandBackend, program: str) -> None:
    error = refused(commands, f"{program} {PRIVATE}")
    assert error.problem.startswith(f"the command {Path(program).name} can't be started: ")


@pytest.mark.parametrize("line", [f"echo '{PRIVATE}", " ", f"echo {PRIVATE}\0"])
def test_a_line_that_is_none_is_not_repeated(commands: CommandBackend, line: str) -> None:
    assert refused(commands, line).problem == "a `command:` is no command line"


@pytest.mark.parametrize("script", ["sleep 61", "sleep 61 & echo done", "exec >&-; sleep 61"])
def test_what_takes_too_long_is_ended_with_all_it_started(tmp_path: Path, script: str) -> None:
    started = time.monotonic()
    commands = CommandBackend({"PATH": os.environ["PATH"]}, tmp_path, lambda: None, limit=0.3)
    error = refused(commands, f'sh -c "{script}"')
    assert error.problem == "the command sh did not end within 0.3 seconds"
    assert time.monotonic() - started < 10


def test_a_request_to_stop_ends_the_program_too(tmp_path: Path) -> None:
    """Checked several times a second: no process it started keeps running."""
    left = tmp_path / "left"

    def stopped() -> None:
        raise CancelledError("stopped")

    commands = CommandBackend({"PATH": os.environ["PATH"]}, tmp_path, stopped)
    with pytest.raises(CancelledError):
        commands.fetch(f"sh -c 'sleep 1; touch {left}'")
    time.sleep(1.2)
    assert not left.exists()
