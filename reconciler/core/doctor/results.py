"""The result of each check: OK, a warning, or a failure with its exit code and fix."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from reconciler.core.api_versions import SUPPORT
from reconciler.core.consent.model import Consent, expires_soon, is_expired
from reconciler.core.credential import CredentialRole, shown_reference
from reconciler.core.desired_state import DesiredState
from reconciler.core.doctor.checks import (
    SKIPPED,
    Check,
    CheckName,
    CheckResult,
    CheckStatus,
    DatabaseLink,
    needs_consent,
)
from reconciler.core.errors import (
    AuthenticationError,
    ConfigurationError,
    DeniedError,
    Finding,
    LockedError,
    ReconcilerError,
    RejectedError,
)
from reconciler.core.remote import CallerIdentity, RateLimit
from reconciler.core.state.resource import CLOCK_SKEW, ResourceState

MOST_FINDINGS = 20
WRONG_CLOCK = timedelta(hours=1)
"""A clock that differs by more makes certificates and tokens fail without a visible reason."""
LITTLE_ROOM = 0.1
"""Share of the calls per minute. If less remains, other users probably share the limit."""
SERVICE = re.compile(r"retail|c-?max", re.IGNORECASE)
"""The `criteoService` of Retail Media. Assumed: Criteo publishes no values."""
DOCTOR = re.compile(r"[,;] (then )?run `reconciler doctor`[^;]*")


def ok(message: str) -> CheckResult:
    return CheckResult(CheckStatus.OK, message)


def warning(message: str, remedy: str) -> CheckResult:
    return CheckResult(CheckStatus.WARNING, message, remedy)


def failed(error: ReconcilerError) -> CheckResult:
    """Advice to run what is running is left out."""
    return CheckResult(CheckStatus.FAILURE, error.problem, DOCTOR.sub("", error.remedy), error.exit_code)


def valid(desired: DesiredState) -> CheckResult:
    return ok(f"valid; audiences: {len(desired.audiences):,}, segments: {len(desired.segments):,}")


def invalid(error: ReconcilerError) -> tuple[Check, ...]:
    """Return the failed checks of invalid manifests. All other checks are skipped."""
    wrong = (Check(CheckName.MANIFESTS, "", "", result) for result in _capped(_findings(error)))
    rest = (Check(link, "", "", SKIPPED) for link in CheckName if link is not CheckName.MANIFESTS)
    return (*wrong, *rest)


def _findings(error: ReconcilerError) -> Iterator[CheckResult]:
    for finding in error.findings or (Finding("", error.problem, error.remedy),):
        message = f"{finding.where}: {finding.problem}" if finding.where else finding.problem
        yield CheckResult(CheckStatus.FAILURE, message, finding.remedy, error.exit_code)


def _capped(results: Iterable[CheckResult]) -> tuple[CheckResult, ...]:
    """Return each entry once, up to a limit."""
    unique = tuple(dict.fromkeys(results))
    shown, left = unique[:MOST_FINDINGS], unique[MOST_FINDINGS:]
    if not left:
        return shown
    return (
        *shown,
        replace(left[0], message=f"and {len(left)} more", remedy="fix these first, then run again"),
    )


def readable(reference: str, read: object) -> CheckResult:
    """Return the result of reading a secret.

    A reference is printed only if it gave a secret; of a command, only its kind.
    """
    if isinstance(read, ReconcilerError):
        return failed(read)
    return ok(f"read from {shown_reference(reference)}")


def renewable(taken: ReconcilerError | None) -> CheckResult:
    """The place of a refresh token, which Criteo may replace at each use."""
    match taken:
        case None:
            return ok("the refresh token can be replaced")
        case LockedError():
            return ok("another run is renewing the refresh token now")
        case _:
            return failed(taken)


def age(consent: Consent, now: datetime, login: str) -> CheckResult:
    """Return the result for the age of a consent. `login` is the command that gets a new one."""
    if consent.obtained_at is None or consent.ends_at is None:
        return warning(
            "the refresh token's age is unknown: it was added manually",
            f"it is valid for six months: {login} replaces it by a token of known age",
        )
    issued, ends = f"{consent.obtained_at:%Y-%m-%d}", f"{consent.ends_at:%Y-%m-%d}"
    if is_expired(consent, now):
        error = AuthenticationError(f"the refresh token ended on {ends}", remedy=f"ask for consent: {login}")
        return failed(error)
    if expires_soon(consent, now):
        return warning(
            f"the refresh token is of {issued}, and ends on {ends}", f"ask for consent before then: {login}"
        )
    return ok(f"the refresh token is of {issued}, good until {ends}")


def age_in_use(consent: Consent, now: datetime, login: str) -> CheckResult:
    """Return the result for a token that Criteo accepted. If it is still old, its use does not renew it."""
    judged = age(consent, now, login)
    if judged.status is not CheckStatus.FAILURE:
        return judged
    return warning(
        f"the refresh token should have ended on {consent.ends_at:%Y-%m-%d}, and Criteo takes it still",
        f"ask for consent before it stops: {login}",
    )


def on_speaking_terms(answered: CallerIdentity | ReconcilerError) -> bool:
    """Criteo answers us, be it to refuse one thing: others are worth asking for."""
    if isinstance(answered, RejectedError):
        return answered.code != "too-many-requests"
    return isinstance(answered, CallerIdentity | DeniedError)


def application(answered: CallerIdentity | ReconcilerError, role: CredentialRole, login: str) -> CheckResult:
    match answered:
        case CallerIdentity(name, service):
            who = f"“{name}”" if name else "it has no name"
            if service and not SERVICE.search(service):
                return warning(
                    f"{who}, of the service {service}: is that Retail Media?",
                    "if segments can't be read, make an application for Retail Media (C-Max) at Criteo",
                )
            return ok(who)
        case DeniedError():
            return _denied(answered, role, login)
        case _:
            return failed(answered)


def clock(skew: timedelta | None) -> CheckResult:
    """Return the result for the clocks. `skew` is how far Criteo's clock is ahead of ours."""
    if skew is None:
        return ok("no answer stated the time")
    minutes, side = abs(skew) // timedelta(minutes=1), "behind" if skew > timedelta(0) else "ahead of"
    message = f"this machine's clock is {minutes:,} minutes {side} Criteo's"
    if abs(skew) > WRONG_CLOCK:
        return failed(ConfigurationError(message, remedy="set the clock of this machine, by NTP if it can"))
    if abs(skew) > CLOCK_SKEW:
        return warning(
            message, "set the clock: comparing times shows what became of a call without an answer"
        )
    return ok("this machine and Criteo agree on the time")


def audiences(answered: ReconcilerError | None, role: CredentialRole, login: str) -> CheckResult:
    """A search shows that segments may be read; nothing but a change shows that they may be changed."""
    match answered:
        case None:
            return ok("its segments can be read")
        case DeniedError():
            return _denied(answered, role, login)
        case _:
            return failed(answered)


def _denied(error: DeniedError, role: CredentialRole, login: str) -> CheckResult:
    consent = (
        f"ask for consent: {login}"
        if needs_consent(role)
        else "have an Admin, Business Manager or Technical Manager of the account open the application's "
        "consent URL"
    )
    level = "Read" if role.plan_application else "Manage"
    permission = (
        f"make an application with `Audiences: {level}` at Criteo: permissions are fixed once it is active"
    )
    remedy = {
        "consent": f"{consent}; or check accountId in environment.yaml",
        "permission": permission,
        "": f"if the account never consented, {consent}; if the permission is missing, {permission}",
    }[error.lacking]
    return failed(AuthenticationError(error.problem, remedy=remedy))


def askable(answered: ReconcilerError | None) -> bool:
    """Return whether further checks of the account make sense.

    A missing audience permission does not prevent them.
    """
    return answered is None or (isinstance(answered, DeniedError) and answered.lacking == "permission")


def account(there: bool | ReconcilerError) -> CheckResult:
    return _listed(
        there,
        "accounts",
        "Accounts: Read",
        ConfigurationError(
            "it is not among the accounts that the application reaches",
            remedy="check accountId in environment.yaml; if it is right, the account has not consented",
        ),
    )


def retailed(there: bool | ReconcilerError) -> CheckResult:
    return _listed(
        there,
        "retailers",
        "Campaign: Read",
        ConfigurationError(
            "the account has no such retailer", remedy="check accountId and retailerId in environment.yaml"
        ),
    )


def _listed(
    there: bool | ReconcilerError, what: str, permission: str, absent: ConfigurationError
) -> CheckResult:
    """Return the result of a list that neither plan nor apply needs."""
    match there:
        case DeniedError():
            return warning(
                f"not checked: the application may not list {what}",
                f"give it `{permission}` to have this checked",
            )
        case ReconcilerError():
            return warning(f"not checked: {there.problem}", DOCTOR.sub("", there.remedy) or "run again later")
        case _:
            return ok("it is there") if there else failed(absent)


def room(rate: RateLimit | None) -> CheckResult:
    if rate is None:
        return ok("no answer stated it")
    message = f"{rate.limit:,} calls a minute, {rate.remaining:,} of them left"
    if rate.remaining < LITTLE_ROOM * rate.limit:
        return warning(
            message, "wait a minute: this look has used some, and other programs may share the limit"
        )
    return ok(message)


def version(name: str, today: date) -> CheckResult:
    support = SUPPORT.get(name)
    newest = max(SUPPORT)
    if support is None:
        return warning(
            f"{name} is not known here",
            f"compare api.version with Criteo's list; known are {', '.join(SUPPORT)}",
        )
    if today >= support.ends:
        return warning(
            f"support of {name} ended on {support.ends}: calls go to a newer version, or are answered 410",
            f"set api.version in environment.yaml to {newest}",
        )
    if today >= support.deprecated_from:
        return warning(
            f"{name} is deprecated: support ends on {support.ends}",
            f"set api.version in environment.yaml to {newest} before then",
        )
    return ok(f"{name}, supported until {support.ends}")


def read(resources: Sequence[ResourceState] | ReconcilerError) -> tuple[CheckResult, ...]:
    if isinstance(resources, ReconcilerError):
        return _capped(_findings(resources))
    return (ok(f"addresses in it: {len(resources):,}"),)


@dataclass(frozen=True, slots=True)
class CheckedSnapshot:
    """`serials` are the earlier states that name it, where the one of today doesn't."""

    error: ReconcilerError | None
    serials: tuple[int, ...] = ()


def snapshots(checked: Sequence[CheckedSnapshot], history: ReconcilerError | None) -> tuple[CheckResult, ...]:
    """`history`: why earlier states can't be read. Nothing but a restore needs what only they name."""
    wrong = [one for one in checked if one.error]
    found = [
        *(failed(one.error) for one in wrong if one.error and not one.serials),
        *((warning(history.problem, history.remedy),) if history else ()),
        *(_earlier(one.error, one.serials) for one in wrong if one.error and one.serials),
    ]
    return _capped(found) or (ok(f"match their names: {len(checked):,}"),)


def _earlier(error: ReconcilerError, serials: Sequence[int]) -> CheckResult:
    named = ", ".join(map(str, serials))
    return warning(
        f"{error.problem}; only earlier states need it, of serial {named}",
        "put it back from a backup (docs/how-to/recover-state.md) before you go back to one of those",
    )


def lockable(taken: ReconcilerError | None) -> CheckResult:
    match taken:
        case None:
            return ok("its lock can be taken")
        case LockedError():
            return warning(taken.problem, taken.remedy)
        case _:
            return failed(taken)


def database(link: DatabaseLink) -> Check:
    """Return the check of one link to a database."""
    item = f"{link.login}: {link.link}"
    if isinstance(link.found, str):
        return Check(CheckName.DATABASE, "", item, ok(link.found))
    found = ConfigurationError(link.found.problem, remedy=link.found.remedy)
    return Check(CheckName.DATABASE, "", item, failed(found))


def sources(checked: Sequence[Sequence[Finding] | ReconcilerError]) -> tuple[CheckResult, ...]:
    """`checked`: what is wrong with each audience's files."""
    errors = (
        one if isinstance(one, ReconcilerError) else ConfigurationError("sources", findings=one)
        for one in checked
        if one
    )
    wrong = _capped(result for error in errors for result in _findings(error))
    return wrong or (ok("the files of every audience are there and can be read"),)
