"""Run every check between a project and Criteo, without stopping at a failure. Results are judged in core."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from reconciler.core.consent.store import ConsentStore
from reconciler.core.credential import CredentialRole
from reconciler.core.desired_state import DesiredState
from reconciler.core.doctor import checks as checkup
from reconciler.core.doctor import results as results
from reconciler.core.doctor.checks import (
    AGE,
    PLACE,
    READING,
    SEALS,
    SKIPPED,
    SNAPSHOTS,
    WRITING,
    Check,
    CheckName,
    CheckResult,
    CheckStatus,
    DatabaseLink,
    Key,
)
from reconciler.core.doctor.seals import seals
from reconciler.core.errors import CancelledError, Finding, ReconcilerError
from reconciler.core.members import SnapshotRef
from reconciler.core.model import Audience, Seat
from reconciler.core.ports import Clock, ConnectionInspector, StateReader, StateStore
from reconciler.core.secret import Secret
from reconciler.core.state.resource import ResourceState

FoundT = TypeVar("FoundT")
Rulings = Mapping[Key, CheckResult]
ProgressCallback = Callable[[str], None]
"""Receives what is being checked now, in a few words."""


@dataclass(frozen=True, slots=True)
class DoctorContext:
    """The edges of one environment, each opened when a check needs it.

    `databases` looks at each link to each database. `verifier` returns a check of snapshots against their
    names, which raises for a wrong snapshot. `hold` takes the lock of the state. `emulated`: no secret of
    the manifests is used. `writes`: also check what only apply needs.
    """

    fetch: Callable[[str], Secret]
    consents: Callable[[CredentialRole], ConsentStore]
    inspector: Callable[[CredentialRole], ConnectionInspector]
    store: StateStore
    verifier: Callable[[StateReader], AbstractContextManager[Callable[[SnapshotRef], object]]]
    databases: Callable[[], Iterable[DatabaseLink]]
    sources: Callable[[Audience], Sequence[Finding]]
    clock: Clock
    hold: Callable[[], AbstractContextManager[object]]
    emulated: bool
    writes: bool


def run_checks(
    desired: DesiredState, roles: Iterable[CredentialRole], tools: DoctorContext, progress: ProgressCallback
) -> tuple[Check, ...]:
    """Run every check of each role, then shared checks, in order of dependency."""
    checks = [Check(CheckName.MANIFESTS, "", "", results.valid(desired))]
    for role in roles:
        progress(f"{role}: reading secrets")
        seats = checkup.seats_of(desired, role.credential)
        login = role.login(desired.environment.name)
        found = dict(_held(role, tools, login))
        if _usable(found):
            found |= _answered(role, seats, tools, login, progress)
            found |= _renewed(role, found, tools, login)
        planned = checkup.checks_for(role, seats, emulated=tools.emulated)
        checks += [Check(link, str(role), item, found.get((link, item), SKIPPED)) for link, item in planned]
    now = tools.clock.now()
    checks.append(
        Check(CheckName.VERSION, "", "", results.version(desired.environment.api.version, now.date()))
    )
    progress("reading the state")
    checks += _state(desired.environment.name, tools, progress)
    progress("asking databases")
    checks += _databases(tools)
    return (*checks, *_sources(desired.audiences, tools, progress))


def attempt(act: Callable[[], FoundT]) -> FoundT | ReconcilerError:
    """Return the result or the error; a request to stop is raised."""
    try:
        return act()
    except CancelledError:
        raise
    except ReconcilerError as error:
        return error


def _held(role: CredentialRole, tools: DoctorContext, login: str) -> Rulings:
    """Check what is stored on this side: secrets, and a consent's refresh token, location and age."""
    if tools.emulated:
        return {(CheckName.SECRETS, ""): results.ok("the emulator issues its own")}
    application = role.application
    pair = {"clientId": application.client_id, "clientSecret": application.client_secret}
    found = {(CheckName.SECRETS, item): _read(reference, tools) for item, reference in pair.items()}
    return {**found, **_consent(role, tools, login)} if checkup.needs_consent(role) else found


def _read(reference: str, tools: DoctorContext) -> CheckResult:
    return results.readable(reference, attempt(lambda: tools.fetch(reference)))


def _consent(role: CredentialRole, tools: DoctorContext, login: str) -> Rulings:
    """Take the lock of the location, which shows that it can be written."""
    token, reference = (CheckName.SECRETS, "refreshToken"), role.application.refresh_token
    place = attempt(lambda: tools.consents(role))
    if isinstance(place, ReconcilerError):
        return {token: _read(reference, tools), (CheckName.CONSENT, PLACE): results.failed(place)}
    consent = attempt(place.read)
    found = {
        token: results.readable(reference, consent),
        (CheckName.CONSENT, PLACE): results.renewable(attempt(lambda: _take(place))),
    }
    if not isinstance(consent, ReconcilerError):
        found[CheckName.CONSENT, AGE] = results.age(consent, tools.clock.now(), login)
    return found


def _renewed(role: CredentialRole, found: Rulings, tools: DoctorContext, login: str) -> Rulings:
    """Read the consent again: fetching a token may have renewed it."""
    taken = found.get((CheckName.TOKEN, ""))
    if (CheckName.CONSENT, AGE) not in found or taken is None or taken.status is not CheckStatus.OK:
        return {}
    consent = attempt(lambda: tools.consents(role).read())
    if isinstance(consent, ReconcilerError):
        return {}
    return {(CheckName.CONSENT, AGE): results.age_in_use(consent, tools.clock.now(), login)}


def _take(place: ConsentStore) -> None:
    with place.lock():
        pass


def _usable(found: Rulings) -> bool:
    """Return whether the token can be tried; its age does not count, because Criteo decides."""
    return not any(
        result.status is CheckStatus.FAILURE
        for key, result in found.items()
        if key != (CheckName.CONSENT, AGE)
    )


def _answered(
    role: CredentialRole, seats: Sequence[Seat], tools: DoctorContext, login: str, progress: ProgressCallback
) -> Rulings:
    """Check the API; the first request fetches a token. Without a response, the later checks are left out."""
    progress(f"{role}: asking for a token")
    inspector = attempt(lambda: tools.inspector(role))
    if isinstance(inspector, ReconcilerError):
        return {(CheckName.TOKEN, ""): results.failed(inspector)}
    caller = attempt(inspector.application)
    if isinstance(caller, ReconcilerError) and not inspector.authorized:
        return {(CheckName.TOKEN, ""): results.failed(caller)}
    found = {
        (CheckName.TOKEN, ""): results.ok("Criteo issues one"),
        (CheckName.APPLICATION, ""): results.application(caller, role, login),
    }
    if not results.on_speaking_terms(caller):
        return found
    return {
        **found,
        (CheckName.CLOCK, ""): results.clock(inspector.skew()),
        **_accounts(role, seats, inspector, login, progress),
        (CheckName.RATE, ""): results.room(inspector.rate_limit()),
    }


def _accounts(
    role: CredentialRole,
    seats: Sequence[Seat],
    inspector: ConnectionInspector,
    login: str,
    progress: ProgressCallback,
) -> Rulings:
    accounts = checkup.accounts_of(seats)
    found: dict[Key, CheckResult] = {}
    for account in accounts:
        progress(f"{role}: asking for segments of account {account}")
        probed = attempt(partial(inspector.probe, account))
        found[CheckName.AUDIENCES, account] = results.audiences(probed, role, login)
        if results.askable(probed):
            found |= _retailers(inspector, account, seats)
    if accounts:
        progress(f"{role}: asking for accounts")
        listed = attempt(lambda: inspector.accounts(accounts))
        found |= {(CheckName.ACCOUNT, one): results.account(_is_in(one, listed)) for one in accounts}
    return found


def _retailers(inspector: ConnectionInspector, account: str, seats: Sequence[Seat]) -> Rulings:
    mine = [seat for seat in seats if seat.account_id == account]
    listed = attempt(lambda: inspector.retailers(account, [seat.retailer_id for seat in mine]))
    return {
        (CheckName.RETAILER, checkup.retailer(seat)): results.retailed(_is_in(seat.retailer_id, listed))
        for seat in mine
    }


def _is_in(one: str, listed: frozenset[str] | ReconcilerError) -> bool | ReconcilerError:
    return one in listed if isinstance(listed, frozenset) else listed


def _state(environment: str, tools: DoctorContext, progress: ProgressCallback) -> Iterable[Check]:
    """Check the state. The lock is checked only if the state can be read."""
    resources = attempt(lambda: tools.store.reader().resources())
    for result in results.read(resources):
        yield Check(CheckName.STATE, "", READING, result)
    for result in _snapshots(resources, tools, progress):
        yield Check(CheckName.STATE, "", SNAPSHOTS, result)
    unread = isinstance(resources, ReconcilerError)
    if not unread:
        for result in seals(attempt(lambda: tools.store.reader().seals()), environment):
            yield Check(CheckName.STATE, "", SEALS, result)
    if tools.writes:
        locked = SKIPPED if unread else results.lockable(attempt(lambda: _lock(tools)))
        yield Check(CheckName.STATE, "", WRITING, locked)


def _snapshots(
    resources: Sequence[ResourceState] | ReconcilerError, tools: DoctorContext, progress: ProgressCallback
) -> Sequence[CheckResult]:
    """Check all snapshots that the current state or a state version names."""
    if isinstance(resources, ReconcilerError):
        return (SKIPPED,)
    state = tools.store.reader()
    current = dict.fromkeys(ref for resource in resources for ref in resource.references)
    history = attempt(lambda: _named_earlier(state))
    earlier = {} if isinstance(history, ReconcilerError) else history
    named = sorted({**earlier, **current}, key=lambda ref: ref.digest)
    if not named:
        return results.snapshots((), history if isinstance(history, ReconcilerError) else None)

    def check_all() -> list[results.CheckedSnapshot]:
        with tools.verifier(state) as check:
            found = []
            for number, ref in enumerate(named, 1):
                progress(f"checking snapshots ({number} of {len(named)})")
                error = attempt(partial(check, ref))
                wrong = error if isinstance(error, ReconcilerError) else None
                found.append(results.CheckedSnapshot(wrong, () if ref in current else tuple(earlier[ref])))
            return found

    checked = attempt(check_all)
    if isinstance(checked, ReconcilerError):
        return (results.failed(checked),)
    return results.snapshots(checked, history if isinstance(history, ReconcilerError) else None)


def _named_earlier(state: StateReader) -> dict[SnapshotRef, list[int]]:
    """Return the serials of the state versions that name a snapshot."""
    named: dict[SnapshotRef, list[int]] = {}
    for kept in state.versions():
        for ref in state.version(kept.serial).references:
            named.setdefault(ref, []).append(kept.serial)
    return named


def _lock(tools: DoctorContext) -> None:
    with tools.hold():
        pass


def _databases(tools: DoctorContext) -> Iterable[Check]:
    links = attempt(lambda: [*tools.databases()])
    if isinstance(links, ReconcilerError):
        return (Check(CheckName.DATABASE, "", "", results.failed(links)),)
    return map(results.database, links)


def _sources(
    audiences: Sequence[Audience], tools: DoctorContext, progress: ProgressCallback
) -> Iterable[Check]:
    checked: list[Sequence[Finding] | ReconcilerError] = []
    for number, audience in enumerate(audiences, 1):
        progress(f"looking for sources of {audience.name} ({number} of {len(audiences)})")
        checked.append(attempt(partial(tools.sources, audience)))
    return (Check(CheckName.SOURCES, "", "", result) for result in results.sources(checked))
