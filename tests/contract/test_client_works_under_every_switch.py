"""For every undocumented behavior of Criteo, the client reads the response or reports a clear error.

One proof for each value of each switch; a switch without one fails the first test.
"""

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import httpx
import pytest
from support.consenting_user import BACK, Form, brought, s256
from support.emulator import sha256
from support.fakes.clock import FakeClock
from support.fakes.consents import MemoryPlace
from support.fakes.criteo import at_once

from reconciler.core.errors import AuthenticationError, CallTooLargeError, RejectedError
from reconciler.core.members import Identifiers, Operation
from reconciler.core.model import IdentifierType
from reconciler.core.remote import Acknowledgement, BulkResult, ItemFailure, NewSegment, Segment, SegmentPatch
from reconciler.core.secret import Secret
from reconciler.criteo.connection import Connection, connect, redeem
from reconciler.criteo.grants import (
    AuthorizationCode,
    ClientCredentials,
    ClientKeys,
    RedirectCode,
    RefreshToken,
)
from reconciler.emulator import Emulator, Switches
from reconciler.emulator.in_process_transport import transport

pytestmark = pytest.mark.promise("any-criteo")
ACCOUNT, RETAILER, OTHER_RETAILER = "368477501993431040", "3239117063738827231", "12"
EMAIL, CUSTOMER = IdentifierType.EMAIL, IdentifierType.CUSTOMER_ID
HALF_A_DAY = 43_200


@dataclass
class Remote:
    """The real client at an emulator, on one clock that never sleeps."""

    emulator: Emulator
    connection: Connection
    clock: FakeClock

    def create(self, *names: str, kind: IdentifierType = CUSTOMER, retailer: str = RETAILER) -> BulkResult:
        asked = [NewSegment(name, "", retailer, kind) for name in names]
        return self.connection.writer().create(ACCOUNT, asked, at_once)

    def made(self, name: str, kind: IdentifierType = CUSTOMER) -> Segment:
        (item,) = self.create(name, kind=kind).items
        assert isinstance(item, Segment)
        return item

    def update(self, *patches: SegmentPatch) -> BulkResult:
        return self.connection.writer().update(ACCOUNT, patches, at_once)

    def change(
        self, segment: Segment, operation: Operation, values: list[str], kind: IdentifierType = CUSTOMER
    ) -> Acknowledgement:
        writer = self.connection.writer()
        return writer.change_members(segment.id, kind, operation, Identifiers(values), at_once)

    def listed(self) -> list[str]:
        return [segment.name for segment in self.connection.reader.segments(ACCOUNT)]

    def requests(self) -> int:
        return len(self.emulator.history())


@contextmanager
def remote(folder: Path, switches: Switches) -> Iterator[Remote]:
    clock = FakeClock()
    opened = Emulator.open(folder / "criteo.db", switches=switches, clock=lambda: clock.now().timestamp())
    with opened as emulator:
        emulator.ensure_account(ACCOUNT, [RETAILER, OTHER_RETAILER])
        issued = emulator.credentials
        with connect(
            base_url="http://emulator",
            version="2026-07",
            token_url="",
            grant=ClientCredentials(ClientKeys(Secret(issued.client_id), Secret(issued.client_secret))),
            timeout=timedelta(seconds=60),
            clock=clock,
            transport=transport(emulator.pipeline),
        ) as connection:
            yield Remote(emulator, connection, clock)


Proof = Callable[[Remote], None]
PROOFS: list[tuple[str, Any, Proof]] = []


def under(switch: str, *values: Any) -> Callable[[Proof], Proof]:
    """Proves it with the switch at each of the values, one at a time; all others at their default."""

    def registered(proof: Proof) -> Proof:
        PROOFS.extend((switch, value, proof) for value in values)
        return proof

    return registered


def codes(answer: BulkResult) -> list[str]:
    return [item.code if isinstance(item, ItemFailure) else "" for item in answer.items]


@under("failures", "warnings", "errors", "http-400")
def failed_items_are_distinguished_from_done_ones(remote: Remote) -> None:
    """In the order of the call, with a reason for each failure; valid items are done once."""
    taken, other = remote.made("Taken"), remote.made("Other")
    answer = remote.create("One", " tAKEN", "Two", " ")
    assert codes(answer) == ["", "name-must-be-unique", "", "name-must-not-be-empty"]
    assert not answer.earlier_unconfirmed
    assert remote.listed() == ["Taken", "Other", "One", "Two"]
    answer = remote.update(
        SegmentPatch(other.id, name="taken"),
        SegmentPatch(taken.id, description="Described"),
        SegmentPatch("100000000000000001", name="Nobody"),
    )
    assert codes(answer) == ["name-must-be-unique", "", "segment-not-found"]
    assert not answer.earlier_unconfirmed
    assert [one.description for one in remote.connection.reader.segments(ACCOUNT)][:2] == ["Described", ""]


@under("name_scope", "account")
def a_name_of_another_retailer_is_taken(remote: Remote) -> None:
    remote.made("Lapsed")
    assert codes(remote.create("lapsed", retailer=OTHER_RETAILER)) == ["name-must-be-unique"]


@under("name_scope", "retailer")
def a_name_of_another_retailer_is_free(remote: Remote) -> None:
    """The two segments differ by retailer."""
    remote.made("Lapsed")
    assert codes(remote.create("Lapsed", retailer=OTHER_RETAILER)) == [""]
    listed = remote.connection.reader.segments(ACCOUNT)
    assert [one.retailer_id for one in listed] == [RETAILER, OTHER_RETAILER]
    assert codes(remote.create("lapsed")) == ["name-must-be-unique"]


@under("descriptions", "kept", "dropped")
def a_segment_is_created_with_or_without_its_description(remote: Remote) -> None:
    """The create response has the ID; the plan checks whether the tag was kept."""
    reported = "Described [reconciler 0123456789-1a2b]"
    asked = NewSegment("Lapsed", reported, RETAILER, CUSTOMER)
    [made] = remote.connection.writer().create(ACCOUNT, [asked], at_once).items
    assert isinstance(made, Segment)
    assert codes(remote.update(SegmentPatch(made.id, description=reported))) == [""]
    kept = reported if remote.emulator.switches.descriptions == "kept" else ""
    assert [one.description for one in remote.connection.reader.segments(ACCOUNT)] == [kept]


@under("names_reusable", True)
def a_deleted_name_is_free(remote: Remote) -> None:
    remote.emulator.delete_by_hand(remote.made("Lapsed").id)
    assert codes(remote.create("Lapsed")) == [""]


@under("names_reusable", False)
def a_deleted_name_is_refused_with_its_reason(remote: Remote) -> None:
    """Although no segment has it: the reason is all that tells."""
    remote.emulator.delete_by_hand(remote.made("Lapsed").id)
    assert codes(remote.create("Lapsed", "Loyal")) == ["name-must-be-unique", ""]
    assert remote.listed() == ["Loyal"]


def in_use(remote: Remote) -> Segment:
    """A segment that an audience is built on."""
    segment = remote.made("Lapsed")
    remote.emulator.seed_audience(ACCOUNT, RETAILER, "Buyers", [segment.id])
    return segment


@under("delete_in_use", "allowed", "refused")
def a_segment_in_use_is_renamed_and_filled_like_any_other(remote: Remote) -> None:
    segment = in_use(remote)
    assert codes(remote.update(SegmentPatch(segment.id, name="Renamed"))) == [""]
    assert remote.change(segment, "add", ["a"]).valid == 1


@under("delete_in_use", "allowed")
def a_segment_in_use_is_deleted(remote: Remote) -> None:
    segment = in_use(remote)
    assert remote.connection.writer().delete(ACCOUNT, [segment.id], at_once).items == (None,)
    assert remote.listed() == []


@under("delete_in_use", "refused")
def a_segment_in_use_is_kept_and_the_others_are_deleted(remote: Remote) -> None:
    segment, other = in_use(remote), remote.made("Other")
    failed, deleted = remote.connection.writer().delete(ACCOUNT, [segment.id, other.id], at_once).items
    assert isinstance(failed, ItemFailure)
    assert (failed.code, deleted) == ("segment-in-use", None)
    assert remote.listed() == ["Lapsed"]


@under("type_mismatch", "http-400")
def another_type_is_rejected(remote: Remote) -> None:
    segment = remote.made("Lapsed")
    with pytest.raises(RejectedError) as caught:
        remote.change(segment, "add", ["a@example.com"], EMAIL)
    assert caught.value.code == "identifier-type-mismatch"
    assert remote.emulator.members(segment.id) == frozenset()


@under("type_mismatch", "invalid")
def another_type_counts_as_invalid(remote: Remote) -> None:
    """Nothing is held, and the counts say so."""
    segment = remote.made("Lapsed")
    answer = remote.change(segment, "add", ["a@example.com", "b@example.com"], EMAIL)
    assert (answer.valid, answer.invalid) == (0, 2)
    assert remote.emulator.members(segment.id) == frozenset()


@under("forms_equivalent", False, True)
def forms_are_sent_as_they_are(remote: Remote) -> None:
    """The client merges none itself: how many members two forms are is Criteo's to say."""
    segment, address = remote.made("Lapsed", EMAIL), "a@example.com"
    merged = remote.emulator.switches.forms_equivalent
    assert remote.change(segment, "add", [address, sha256(address)], EMAIL).valid == 2
    held = {sha256(address)} if merged else {address, sha256(address)}
    assert remote.emulator.members(segment.id) == held
    assert remote.change(segment, "remove", [address], EMAIL).valid == 1
    assert remote.emulator.members(segment.id) == (frozenset() if merged else {sha256(address)})


@under("match_rate", 0.0, 0.004, 0.6, 1.0)
@under("match_rate_scale", "0-100", "0-1")
def a_match_rate_is_a_part_of_one(remote: Remote) -> None:
    """In either scale, for small rates and for one."""
    segment = remote.made("Lapsed")
    remote.change(segment, "add", [f"c{number}" for number in range(1000)])
    remote.clock.advance(HALF_A_DAY)
    reported = remote.connection.reader.statistics(ACCOUNT, segment.id)
    rate = remote.emulator.switches.match_rate
    assert (reported.identifiers, reported.matches, reported.match_rate) == (
        1000,
        1000 * rate,
        pytest.approx(rate),
    )


@under("max_identifiers", 3)
def a_batch_that_is_too_long_is_rejected(remote: Remote) -> None:
    """With the number that was sent, nothing held, and what to do."""
    segment = remote.made("Lapsed")
    with pytest.raises(CallTooLargeError) as caught:
        remote.change(segment, "add", ["a", "b", "c", "d"])
    assert caught.value.code == "too-many-identifiers"
    assert "adding members to segment" in caught.value.problem
    assert "limits the size of requests" in caught.value.remedy
    assert remote.emulator.members(segment.id) == frozenset()
    assert remote.change(segment, "add", ["a", "b", "c"]).valid == 3


@under("max_body_bytes", 1000)
def a_body_that_is_too_large_is_rejected(remote: Remote) -> None:
    segment = remote.made("Lapsed")
    with pytest.raises(CallTooLargeError) as caught:
        remote.change(segment, "add", [f"customer-{number}" for number in range(100)])
    assert "413" in caught.value.problem
    assert "limits the size of requests" in caught.value.remedy
    assert remote.emulator.members(segment.id) == frozenset()


@under("max_bulk_items", 2)
def items_that_are_too_many_at_once_go_one_by_one(remote: Remote) -> None:
    """Each gets its own answer; nothing is made twice."""
    assert codes(remote.create("One", "Two", "Three", "one")) == ["", "", "", "name-must-be-unique"]
    assert remote.listed() == ["One", "Two", "Three"]


@under("invalid_samples", 0, 100)
def samples_of_invalid_identifiers_change_no_count(remote: Remote) -> None:
    segment = remote.made("Lapsed")
    answer = remote.change(segment, "add", ["a", "", " "])
    assert (answer.valid, answer.invalid) == (1, 2)


@under("rate_limit", 7, 12)
@under("rate_window", "sliding", "bucket", "fixed")
@under("token_calls_count", True, False)
def no_call_meets_a_429_while_we_are_alone(remote: Remote) -> None:
    """Twice the limit in one go, and none is refused: the rest waits its turn."""
    limit = min(remote.emulator.switches.rate_limit, 12)
    remote.emulator.configure(replace(remote.emulator.switches, rate_limit=limit))
    for _ in range(2 * limit + 3):
        remote.connection.reader.segments(ACCOUNT)
    assert remote.connection.refusals == 0
    assert {call.status for call in remote.emulator.history()} == {200}
    reported = remote.connection.reader.rate_limit()
    assert reported is not None
    assert reported.limit == limit
    assert remote.clock.waited > 0


@under("rate_headers", True, False)
def an_unreported_limit_is_respected_after_the_first_429(remote: Remote) -> None:
    """Every call succeeds in the end, and the pauses come from the 429s."""
    remote.emulator.configure(replace(remote.emulator.switches, rate_limit=10))
    reported = remote.emulator.switches.rate_headers
    for _ in range(40):
        assert remote.listed() == []
    assert (remote.connection.refusals == 0) == reported
    assert [call.status for call in remote.emulator.history()].count(200) == 40 + tokens(remote)


def tokens(remote: Remote) -> int:
    return [call.operation for call in remote.emulator.history()].count("token")


@under("token_seconds", 5, 61, 300, 900, 86_400)
def no_call_leaves_with_a_dead_token(remote: Remote) -> None:
    """However short a token lives: it is renewed in time, and no oftener than it must be."""
    for _ in range(10):
        remote.listed()
        remote.clock.advance(30)
    assert 401 not in {call.status for call in remote.emulator.history()}
    life = remote.emulator.switches.token_seconds
    assert tokens(remote) == {5: 10, 61: 5, 300: 2, 900: 1, 86_400: 1}[life]


@under("trace_key", "traceId", "traceIdentifier")
def a_refusal_names_its_trace(remote: Remote) -> None:
    """Whatever it is called: Criteo's support asks for it first."""
    with pytest.raises(RejectedError, match=r"trace id [0-9a-f]{32}"):
        remote.connection.reader.statistics(ACCOUNT, "100000000000000001")


@under("scopes", ())
def without_a_permission_nothing_is_an_empty_account(remote: Remote) -> None:
    """A missing permission is an error with its remedy, for reads and writes alike."""
    for call in (remote.listed, lambda: remote.create("Lapsed")):
        with pytest.raises(AuthenticationError) as caught:
            call()
        assert "Audiences" in caught.value.remedy
        assert "insufficient-scope" in caught.value.problem


@under("scopes", ("RetailMedia_Audience_Read",))
def who_may_read_only_can_plan_and_not_write(remote: Remote) -> None:
    assert remote.listed() == []
    with pytest.raises(AuthenticationError):
        remote.create("Lapsed")
    assert remote.emulator.segments() == ()


@under("scopes", ("RetailMedia_Audience_Manage",))
def who_may_manage_may_read(remote: Remote) -> None:
    """No other permission is needed for audiences."""
    assert codes(remote.create("Lapsed")) == [""]
    assert remote.listed() == ["Lapsed"]


@under("latency", 0.02)
def slow_answers_are_waited_for(remote: Remote) -> None:
    """And none is sent twice meanwhile."""
    segment = remote.made("Lapsed")
    assert remote.change(segment, "add", ["a"]).valid == 1
    assert remote.listed() == ["Lapsed"]
    assert remote.requests() == 4


# -- with consent -----------------------------------------------------------------------------------


@dataclass
class Consented:
    """A client that asks for tokens with what a person consented to."""

    remote: Remote
    place: MemoryPlace

    def asks(self, *, back: str = BACK, verifier: str = "", times: int = 1) -> int:
        """Lists segments so many times on a connection of its own; how often it met a 429."""
        if self.place.consent is None:
            self.redeems(self.code(back, verifier))
        with self.connected() as connection:
            for _ in range(times):
                assert connection.reader.segments(ACCOUNT) == ()
            return connection.refusals

    def refuses(self, back: str) -> bool:
        return self._page(back, "").status_code == HTTPStatus.BAD_REQUEST

    def redeems(self, grant: AuthorizationCode) -> None:
        redeem(
            base_url="http://emulator",
            token_url="",
            grant=grant,
            timeout=timedelta(seconds=60),
            transport=transport(self.remote.emulator.pipeline),
        )

    def code(self, back: str = BACK, verifier: str = "") -> AuthorizationCode:
        form = Form(self._page(back, verifier).text)
        fields = {**form.hidden, "account": form.ticked, "decision": "allow"}
        code = brought(self._http().post(form.action, data=fields))["code"]
        proof = Secret(verifier) if verifier else None
        found = RedirectCode(Secret(code), proof, back, "login")
        return AuthorizationCode(self._keys, found, self.place, self.remote.clock, "again")

    def _page(self, back: str, verifier: str) -> httpx.Response:
        asked = {
            "response_type": "code",
            "client_id": self._keys.client_id.reveal(),
            "redirect_uri": back,
            "state": "state",
        }
        if verifier:
            asked |= {"code_challenge": s256(verifier), "code_challenge_method": "S256"}
        return self._http().get("/request", params=asked)

    def _http(self) -> httpx.Client:
        return httpx.Client(transport=transport(self.remote.emulator.pipeline), base_url="http://emulator")

    @property
    def _keys(self) -> ClientKeys:
        issued = self.remote.emulator.credentials
        return ClientKeys(Secret(issued.client_id), Secret(issued.client_secret))

    def connected(self) -> Connection:
        return connect(
            base_url="http://emulator",
            version="2026-07",
            token_url="",
            grant=RefreshToken(self._keys, self.place, self.remote.clock, "again"),
            timeout=timedelta(seconds=60),
            clock=self.remote.clock,
            transport=transport(self.remote.emulator.pipeline),
        )

    @property
    def token(self) -> str:
        assert self.place.consent
        return self.place.consent.refresh_token.reveal()


def consented(remote: Remote) -> Consented:
    return Consented(remote, MemoryPlace())


@under("rate_limit_per_account", 2, 10)
def the_limit_of_a_consent_is_kept_to(remote: Remote) -> None:
    """Only the headers show how many accounts the consent covers."""
    person = consented(remote)
    assert person.asks() == 0
    assert person.asks(times=25) == 0


@under("code_seconds", 5)
def a_code_that_came_too_late_is_distinguished_from_other_failures(remote: Remote) -> None:
    person = consented(remote)
    grant = person.code()
    remote.clock.advance(6)
    with pytest.raises(AuthenticationError, match="it was used already, is too old"):
        person.redeems(grant)
    assert person.asks() == 0


@under("pkce_required", True)
def a_proof_is_sent_where_one_is_demanded(remote: Remote) -> None:
    person = consented(remote)
    assert person.refuses(BACK)
    assert person.asks(verifier="v" * 43) == 0


@under("loopback_redirects", False)
def consent_leads_to_an_address_with_https(remote: Remote) -> None:
    person = consented(remote)
    assert person.refuses("http://127.0.0.1:8765/")
    assert person.asks() == 0


@under("redirect_uris", (BACK,))
def consent_leads_to_a_declared_address(remote: Remote) -> None:
    person = consented(remote)
    assert person.refuses(f"{BACK}/other")
    assert person.asks() == 0


@under("rotate_refresh_tokens", True, False)
def what_is_kept_is_what_is_good_next_time(remote: Remote) -> None:
    """A token that stays the same is not written again."""
    person = consented(remote)
    person.asks()
    first, written = person.token, len(person.place.written)
    assert [person.asks() for _ in range(3)] == [0, 0, 0]
    rotates = remote.emulator.switches.rotate_refresh_tokens
    assert (person.token != first, len(person.place.written) - written) == (rotates, 3 if rotates else 0)


@under("reuse_revokes", True)
def no_token_is_used_twice(remote: Remote) -> None:
    person = consented(remote)
    assert [person.asks() for _ in range(4)] == [0, 0, 0, 0]


@under("refresh_token_days", 10)
def a_token_that_died_early_says_that_consent_is_needed_again(remote: Remote) -> None:
    person = consented(remote)
    person.asks()
    remote.clock.advance(11 * 2 * HALF_A_DAY)
    with pytest.raises(AuthenticationError, match="no longer takes the refresh token"):
        person.asks()


# -- all of them ------------------------------------------------------------------------------------


def others(switch: str) -> list[Any]:
    """The values that a switch has beside its default, as far as its type names them."""
    kind, default = get_type_hints(Switches)[switch], getattr(Switches(), switch)
    if get_origin(kind) is Literal:
        return [value for value in get_args(kind) if value != default]
    return [not default] if kind is bool else []


def test_every_switch_has_a_test() -> None:
    """A switch at its default proves nothing new: every other value counts."""
    for field in fields(Switches):
        proved = [value for switch, value, _ in PROOFS if switch == field.name]
        assert [value for value in proved if value != field.default], f"no proof under {field.name}"
        assert set(others(field.name)) <= set(proved), f"not every value of {field.name} is proved"


@pytest.mark.parametrize(
    ("switch", "value", "proof"),
    [pytest.param(*row, id=f"{row[0]}={row[1]}: {row[2].__name__}") for row in PROOFS],
)
def test_it_holds(switch: str, value: Any, proof: Proof, tmp_path: Path) -> None:
    with remote(tmp_path, replace(Switches(), **{switch: value})) as opened:
        proof(opened)


CHOICES = [(field.name, value) for field in fields(Switches) for value in others(field.name)]
PAIRS = [pair for pair in itertools.combinations(CHOICES, 2) if pair[0][0] != pair[1][0]]


@pytest.mark.parametrize("first", CHOICES, ids=str)
def test_a_small_life_is_the_same_under_any_two_of_them(first: tuple[str, Any], tmp_path: Path) -> None:
    """Created in part, renamed in part, filled, thinned out, computed: always with the same end."""
    for number, pair in enumerate(pair for pair in PAIRS if pair[0] == first):
        folder = tmp_path / str(number)
        folder.mkdir()
        switches = replace(Switches(), rate_limit=9, **dict(pair))
        with remote(folder, switches) as opened:
            live(opened)


def live(remote: Remote) -> None:
    assert codes(remote.create("One", "one", "Two")) == ["", "name-must-be-unique", ""]
    one, two = remote.connection.reader.segments(ACCOUNT)
    patches = [SegmentPatch(one.id, name="Uno"), SegmentPatch(two.id, name="uno")]
    assert codes(remote.update(*patches)) == ["", "name-must-be-unique"]
    assert remote.listed() == ["Uno", "Two"]
    remote.change(one, "add", [f"c{number}" for number in range(10)])
    assert remote.change(one, "remove", ["c9", "c8"]).valid == 2
    assert remote.emulator.members(one.id) == {f"c{number}" for number in range(8)}
    remote.clock.advance(HALF_A_DAY)
    reported = remote.connection.reader.statistics(ACCOUNT, one.id)
    assert (reported.identifiers, reported.matches, reported.match_rate) == (8, 5, pytest.approx(5 / 8))
