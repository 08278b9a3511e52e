"""`audit`: the log of the runs that held the lock, and whether it is whole."""

from dataclasses import dataclass
from typing import Annotated, Any

import click

from reconciler.commands.support.json_output import json_output
from reconciler.commands.support.options import AsJson, CommonOptions, Environment, with_options
from reconciler.commands.support.session import open_session
from reconciler.core.audit.check import CheckedLog
from reconciler.core.audit.model import AuditHead, parse_head
from reconciler.core.errors import Finding, StorageError
from reconciler.operations.read_audit_log import read_audit_log
from reconciler.render.document.audit import flaw_text
from reconciler.render.json.audit import audit_values
from reconciler.render.json.values import DocumentKind
from reconciler.render.numbers import counted
from reconciler.render.terminal.audit import print_audit


class HeadParam(click.ParamType[AuditHead]):
    """`LENGTH:sha256:DIGEST`, as a run prints it."""

    name = "head"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> AuditHead:
        if isinstance(value, AuditHead):
            return value
        head = parse_head(str(value))
        if head is None:
            self.fail("write it as an apply printed it: LENGTH:sha256:DIGEST", param, ctx)
        return head


@dataclass(frozen=True, slots=True)
class AuditOptions:
    """The environment, and what the log is compared with."""

    environment: Environment
    verify: Annotated[
        bool,
        click.option("--verify", is_flag=True, help="Exit 10 if an entry was changed, removed or moved."),
    ]
    head: Annotated[
        AuditHead,
        click.option(
            "--head",
            type=HeadParam(),
            default=AuditHead(),
            show_default=False,
            metavar="HEAD",
            help="Verify that the log continues from the head that an earlier run printed.",
        ),
    ]
    as_json: AsJson
    common: CommonOptions


@click.command(name="audit")
@with_options(AuditOptions)
@click.pass_obj
def command(stop: object, /, options: AuditOptions) -> None:
    """Show the audit log: each run that held the lock, its actor, commit, approvals and changes.

    Each entry contains the digest of the entry before it. A changed, missing or moved entry is found by the
    log itself, and entries missing at its end by the serial of the state. Only the head that an earlier run
    printed finds a log that was rewritten as a whole: pass it with --head.
    """
    environment = options.environment
    with (
        json_output(DocumentKind.AUDIT, wanted=options.as_json) as page,
        open_session(stop, environment, options.common) as session,
    ):
        log = read_audit_log(session.space.store, options.head)
        page.content = audit_values(environment, log)
        if not options.as_json:
            print_audit(environment, log, session.shown.out)
        if log.flaws and (options.verify or options.head.length):
            raise _broken(environment, log)
    if not options.as_json and (options.verify or options.head.length):
        click.echo(f"{environment}: the audit log is whole")


def _broken(environment: str, log: CheckedLog) -> StorageError:
    findings = [Finding(f"entry {one.number}", flaw_text(one, log.head.length)) for one in log.flaws]
    return StorageError(
        f"{environment}: the audit log has {counted(len(findings), 'flaw')}",
        remedy="compare it with a backup, or with the versions that the bucket keeps; the logs of CI have the"
        " head after each run",
        findings=findings,
    )
