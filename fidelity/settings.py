"""The settings, from environment variables only; missing or unsafe ones are refused before any call."""

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, cast, get_args
from urllib.parse import urlsplit

PREFIX = "CRITEO_FIDELITY_"
REQUIRED = {
    "ENDPOINT": "the API's address, such as https://api.criteo.com",
    "TOKEN_URL": "where tokens are given, such as https://api.criteo.com/oauth2/token",
    "CLIENT_ID": "of an application with client credentials",
    "CLIENT_SECRET": "its secret",
    "ACCOUNT_ID": "a Retail Media account that is there for tests",
    "RETAILER_ID": "a retailer of that account",
    "TEST_ACCOUNT": "the account's id once more: you say that segments may be made and deleted in it",
}
Stage = Literal["now", "leave", "return"]


class Unfit(Exception):  # noqa: N818 - a refusal that names the settings of the caller
    """Every reason for a refusal, one per line."""


@dataclass(frozen=True)
class Settings:
    """One account at one endpoint. Without `other_retailer_id`, some questions stay open."""

    endpoint: str
    token_url: str
    client_id: str = field(repr=False)
    client_secret: str = field(repr=False)
    account_id: str
    retailer_id: str
    other_retailer_id: str = ""
    version: str = "2026-07"
    stage: Stage = "now"
    notes: Path = Path(".reconciler/fidelity.json")

    @property
    def root(self) -> str:
        return f"{self.endpoint.rstrip('/')}/{self.version}/retail-media"


def read(variables: Mapping[str, str]) -> Settings:
    given = {name: variables.get(PREFIX + name, "").strip() for name in REQUIRED}
    reasons = [f"{PREFIX}{name} is missing: {REQUIRED[name]}" for name, value in given.items() if not value]
    reasons += [
        f"{PREFIX}{name} must begin with https:// (http:// only on this machine)"
        for name in ("ENDPOINT", "TOKEN_URL")
        if given[name] and not _safe(given[name])
    ]
    reasons += [
        f"{PREFIX}{name} must be digits"
        for name in ("ACCOUNT_ID", "RETAILER_ID")
        if given[name] and not re.fullmatch(r"[0-9]{1,19}", given[name])
    ]
    if given["TEST_ACCOUNT"] and given["TEST_ACCOUNT"] != given["ACCOUNT_ID"]:
        reasons.append(f"{PREFIX}TEST_ACCOUNT differs from {PREFIX}ACCOUNT_ID: which account is the test's?")
    stage = variables.get(PREFIX + "STAGE", "now")
    if stage not in get_args(Stage):
        reasons.append(f"{PREFIX}STAGE must be one of {', '.join(get_args(Stage))}")
    if reasons:
        raise Unfit("\n".join(reasons))
    return Settings(
        endpoint=given["ENDPOINT"],
        token_url=given["TOKEN_URL"],
        client_id=given["CLIENT_ID"],
        client_secret=given["CLIENT_SECRET"],
        account_id=given["ACCOUNT_ID"],
        retailer_id=given["RETAILER_ID"],
        other_retailer_id=variables.get(PREFIX + "OTHER_RETAILER_ID", ""),
        version=variables.get(PREFIX + "VERSION", Settings.version),
        stage=cast(Stage, stage),
        notes=Path(variables.get(PREFIX + "NOTES", str(Settings.notes))),
    )


def _safe(url: str) -> bool:
    parts = urlsplit(url)
    if not parts.hostname or parts.username or parts.password:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and _is_this_machine(parts.hostname))


def _is_this_machine(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
