"""The command line: commands found by name, errors turned into exit codes, signals into a request to stop."""

import gc
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Sequence
from types import FrameType
from typing import Any, NoReturn

import click

from reconciler import __version__
from reconciler.clock import LONGEST_RENEWAL, StopSignal
from reconciler.commands.support.lazy_group import LazyGroup
from reconciler.commands.support.observed import USAGE
from reconciler.commands.support.options import CommonOptions, with_options
from reconciler.crash import install_handlers, report_crash
from reconciler.disk.scratch_dir import ScratchDir
from reconciler.streams import prepare_streams

COMMANDS = {
    "init": "Create a repository: manifests, example data, CI",
    "validate": "Check manifests offline: schema, references, names, sources",
    "doctor": "Check the connection to Criteo; name each fix",
    "plan": "Show what would change at Criteo; write nothing",
    "apply": "Plan, then apply the plan",
    "teardown": "Remove an environment's members, and forget or delete its segments",
    "drift": "Show what changed outside reconciler since the last apply",
    "show": "Show a saved plan, in any format",
    "dump": "Write manifests for existing segments, to adopt them",
    "diff": "Show what differs between two environments, and what is verified",
    "promote": "Merge the manifests of one environment into another, with git",
    "status": "Show members, last sync and activation time",
    "verify": "Check that sent members arrived at Criteo, and match",
    "report": "Report sizes, churn and match rates over time, as text or one HTML page",
    "audit": "Show the log of runs, and verify that it is whole",
    "explain": "Show why one address changes, and why rows are dropped",
    "find": "Find identifiers in segments, lists and saved versions",
    "erase": "Erase identifiers: at Criteo, in the state and its saved versions",
    "auth": "Get and store Criteo's consent; show when it expires",
    "state": "Show, restore, rebuild and move the state; manage its lock",
    "codeowners": "Generate CODEOWNERS rules from `access`",
    "emulator": "Emulate Criteo: serve it, move its clock, inject faults",
    "completion": "Print the completion script for your shell",
}
"""Help is printed from this table, so that it loads no command."""

CANCELLED = 130
NEW_OBJECTS = 50_000
"""Objects after which Python looks for cycles. What a command loads lives to its end: by default, Python
looks through a thousand manifests so often that reading them takes twice as long.
"""
LONGEST_STOP = 20.0
"""Seconds after which a process ends that was asked to stop, whatever it waits for."""

REPEATABLE = re.compile(r"[a-z]{1,12}|--?[a-z-]{1,20}")
"""What was typed may be repeated if it can only be a word or an option: a typo, and nobody's secret."""


class Commands(LazyGroup):
    """The root group: annotates an error that ends a command in a job of GitHub Actions."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.exceptions.Abort):
            raise
        except Exception as error:
            from reconciler.commands.support.annotations import annotate_error

            annotate_error(error, ctx)
            raise


@click.group(
    cls=Commands,
    package="reconciler.commands",
    descriptions=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 done · 2 changes (plan --detailed-exitcode, drift) · 3 configuration · "
    "4 authentication · 5 blocked by a guard · 6 not approved · 7 locked · 8 partially applied · "
    "9 Criteo failed · 10 storage · 11 not computed yet (verify) · 64 usage · 130 cancelled · 1 a bug.",
)
@click.version_option(__version__, prog_name="reconciler")
@with_options(CommonOptions)
def group(_: CommonOptions) -> None:
    """Plan and apply first-party audiences on Criteo Retail Media, from YAML, in review.

    \b
    Start with:
      reconciler init audiences           create a repository
      reconciler validate                 check all manifests, offline
      reconciler doctor sandbox           check the connection to Criteo
      reconciler plan sandbox             show what would change
      reconciler apply sandbox            apply the changes
    """


def main() -> NoReturn:
    """Run one command and exit with its code. Never prints the text of a foreign exception."""
    gc.set_threshold(NEW_OBJECTS)
    prepare_streams()
    install_handlers()
    stop = StopSignal()
    _listen(stop)
    try:
        code = group.main(standalone_mode=False, obj=stop)
    except click.exceptions.Abort:
        click.echo("cancelled", err=True)
        sys.exit(CANCELLED)
    except click.ClickException as error:
        _correct(error)
        sys.exit(USAGE)
    except SystemExit as left:
        # Click's own, when nobody reads any more; a library's, with a text, is a bug.
        sys.exit(left.code if isinstance(left.code, int) else _report(left))
    except BaseException as error:  # noqa: BLE001 - the last handler: known errors are printed, bugs show frames only
        _leave(_report(error), stop)
    finally:
        gc.freeze()
    sys.exit(code if isinstance(code, int) else 0)


def _leave(code: int, stop: StopSignal) -> NoReturn:
    """Exit after a stop request, without waiting for threads in requests."""
    if stop.is_set():
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


def _listen(stop: StopSignal) -> None:
    """Stop on the first signal; exit on the second, or after a time limit: neither loses anything.

    A token renewal is waited for, because a lost token costs a user's consent.

    A thread receives the signals: a handler would wait until a long call outside Python has returned.
    """
    ear, mouth = os.pipe()
    os.set_blocking(mouth, False)

    def listen() -> None:
        while os.read(ear, 1):
            if stop.is_set():
                _end(stop)
            stop.set()
            threading.Thread(target=wait, daemon=True).start()

    def wait() -> None:
        time.sleep(LONGEST_STOP)
        _end(stop)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _heard)
    signal.set_wakeup_fd(mouth, warn_on_full_buffer=False)
    threading.Thread(target=listen, daemon=True).start()


def _end(stop: StopSignal) -> NoReturn:
    """End the process, whatever other threads do."""
    try:
        stop.wait_until_idle(LONGEST_RENEWAL)
        ScratchDir.remove_all()
    finally:
        os._exit(CANCELLED)


def _heard(number: int, frame: FrameType | None) -> None:
    """Ignore the signal: the listening thread has received it."""


def _correct(error: click.ClickException) -> None:
    """Print a usage error like click, on our streams and without the arguments."""
    from reconciler.commands.support.hints import hint

    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        click.echo(error.format_message(), err=True)
        return
    if isinstance(error, click.UsageError) and error.ctx:
        usage, command = error.ctx.get_usage(), error.ctx.command_path
        click.echo(f"{usage}\nTry '{command} --help' for help.\n", err=True)
    instead = hint(error, sys.argv[1:]) if isinstance(error, click.UsageError) else ""
    problem = error.message if instead else error.format_message()  # without what click thinks was meant
    click.echo(f"Error: {_without_values(problem, sys.argv[1:])}", err=True)
    if instead:
        click.echo(f"→ {instead}", err=True)


def _without_values(message: str, typed: Sequence[str]) -> str:
    """Remove arguments from click's message: a mistyped argument may be a secret or a member."""
    words = {part for word in typed for part in (word, word.partition("=")[2], word.partition("=")[0])}
    for word in sorted(words, key=len, reverse=True):
        if word not in {"", "-"} and not REPEATABLE.fullmatch(word):
            for shown in (word, repr(word)[1:-1]):
                message = re.sub(rf"(?<!\w){re.escape(shown)}(?!\w)", "…", message)
    return message


def _report(error: BaseException) -> int:
    from reconciler.system_errors import BUG, known_error

    if known := known_error(error):
        from reconciler.render.terminal.console import console
        from reconciler.render.terminal.errors import print_error
        from reconciler.settings import colour_wish

        print_error(known, console(sys.stderr, colour_wish("--no-color" in sys.argv)))
        return known.exit_code
    report_crash(type(error), error.__traceback__)
    return BUG
