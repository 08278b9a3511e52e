"""What Criteo leaves unsaid, one switch per unknown; the defaults are our best guess, never a fact."""

from dataclasses import asdict, dataclass, fields
from typing import Literal

import orjson

EVERY_SCOPE = (
    "RetailMedia_Accounts_Read",
    "RetailMedia_Audience_Manage",
    "RetailMedia_Audience_Read",
    "RetailMedia_Campaign_Read",
)


@dataclass(frozen=True)
class Switches:
    """Kept in the database, so that every process that opens it behaves alike."""

    failures: Literal["warnings", "errors", "http-400"] = "warnings"
    """Where a failed item of a bulk call is reported. "http-400" refuses the call and does nothing."""
    name_scope: Literal["account", "retailer"] = "account"
    """Within what a segment name is unique, trimmed and case-folded."""
    descriptions: Literal["kept", "dropped"] = "kept"
    """Whether a segment keeps the description that it was given."""
    names_reusable: bool = True
    """Whether the name of a deleted segment may be given again."""
    delete_in_use: Literal["allowed", "refused"] = "allowed"
    """Whether a segment that an audience is built on may be deleted."""
    type_mismatch: Literal["http-400", "invalid"] = "http-400"
    """Add-remove with another identifier type: refused, or every identifier counted invalid."""
    forms_equivalent: bool = False
    """Whether plain, MD5 and SHA-256 values of one email are one member.

    Default off: the emulator returns exactly the values it received, and Criteo does not document that they
    merge.
    """
    match_rate: float = 0.6
    """The part of the members that a computation matches."""
    match_rate_scale: Literal["0-100", "0-1"] = "0-100"
    max_identifiers: int = 50_000
    max_bulk_items: int = 50
    max_body_bytes: int = 10_485_760
    invalid_samples: int = 10
    """How many invalid identifiers add-remove echoes."""
    rate_limit: int = 250
    """Calls per minute and application: documented for client credentials."""
    rate_limit_per_account: int = 10
    """Calls per minute for each account of a consent, pooled: documented for authorization codes."""
    rate_window: Literal["fixed", "sliding", "bucket"] = "fixed"
    rate_headers: bool = True
    """Whether answers other than 429 carry the x-ratelimit headers too."""
    token_calls_count: bool = False
    """Whether fetching a token counts: always for the application, whatever the grant."""
    token_seconds: int = 900
    code_seconds: int = 60
    """How long an authorization code is good; it is good once, however long."""
    pkce_required: bool = False
    """Whether a request for consent without a code challenge is refused."""
    loopback_redirects: bool = True
    """Whether a consent may go back to this machine without https."""
    redirect_uris: tuple[str, ...] = ()
    """Those declared in the application, compared letter by letter; none: any."""
    rotate_refresh_tokens: bool = True
    """Whether each use of a refresh token gives a new one and ends the old. Off: the same stays good."""
    reuse_revokes: bool = False
    """Whether presenting a replaced refresh token ends the whole consent."""
    refresh_token_days: int = 180
    """From the day it was issued: use does not lengthen it."""
    trace_key: Literal["traceId", "traceIdentifier"] = "traceId"
    scopes: tuple[str, ...] = EVERY_SCOPE
    """What the application was granted; a call outside is answered 403."""
    latency: float = 0.0
    """Seconds every answer is held back."""


def encode(switches: Switches) -> str:
    return orjson.dumps(asdict(switches)).decode()


def decode(text: str) -> Switches:
    """Switches that this version no longer knows are dropped; new ones take their default."""
    stored = orjson.loads(text)
    known = {field.name: stored[field.name] for field in fields(Switches) if field.name in stored}
    lists = {name: tuple(value) for name, value in known.items() if isinstance(value, list)}
    return Switches(**known | lists)
