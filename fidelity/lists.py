"""Experiments that need a computation, at 00:00 or 12:00 UTC: lists are created, and read later.

The scale of match rates needs lists with matches. Invented members match nothing, so the statistics of
existing lists of the account are read, and these lists are not changed.
"""

import os
from hashlib import md5
from typing import Any

import orjson

from fidelity.experiment import Experiment, Result
from fidelity.lab import FAMILY, Lab, Unseen
from fidelity.members import hashed, person
from reconciler.emulator.switches import Switches

ASSUMED = Switches()
LOOKED_AT = 20
LEFT = ("forms", "twice", "used")


def leave(lab: Lab) -> dict[str, str]:
    """Return the lists to read later, saved so that nothing else is changed then."""
    left = {name: lab.contact_list(name) for name in LEFT}
    plain, digest = person(1), md5(person(1).encode(), usedforsecurity=False).hexdigest()
    lab.add(left["forms"], [plain, hashed(1), digest])
    for _ in range(2):
        lab.add(left["twice"], [hashed(number) for number in range(10)])
    notes = lab.settings.notes
    notes.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    content = {"account": lab.settings.account_id, "prefix": lab.prefix, "left": left}
    with os.fdopen(os.open(notes, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "wb") as file:
        file.write(orjson.dumps(content))
    return left


def remember(lab: Lab) -> None:
    """Resume after `leave` with the prefix of that run. Before the computation, nothing is changed."""
    try:
        notes = orjson.loads(lab.settings.notes.read_bytes())
        account, prefix = str(notes["account"]), str(notes["prefix"])
    except (OSError, orjson.JSONDecodeError, KeyError, TypeError):
        raise Unseen(f"no lists were left: {lab.settings.notes} can't be read") from None
    if account != lab.settings.account_id or not prefix.startswith(f"{FAMILY}-"):
        raise Unseen(f"{lab.settings.notes} is about another account")
    lab.prefix = prefix
    for name in ("forms", "twice"):
        _held(lab, name)


def match_rate_scale(lab: Lab) -> Result:
    rate, part, _ = _matching(lab)
    if part == 1:
        return Result("0-1" if rate == 1 else "0-100", f"all match, and the rate is {rate}")
    scale = "0-1" if abs(rate - part) < abs(rate / 100 - part) else "0-100"
    return Result(scale, f"{part:.4f} of the identifiers match, and the rate is {rate}")


def match_rate(lab: Lab) -> Result:
    _, part, lists = _matching(lab)
    return Result(round(part, 2), f"of the first of {lists} lists with matches")


def delete_in_use(lab: Lab) -> Result:
    used = _left(lab)["used"]
    found = lab.account("/audiences/search", {"data": {"attributes": {"audienceSegmentIds": [used]}}})
    if not found.data:
        raise Unseen(f'build an audience on the segment "{lab.prefix} used" by hand before you return')
    seen = lab.delete(used)
    return Result("allowed" if seen.data else "refused", seen.summary)


def forms_equivalent(lab: Lab) -> Result:
    held = _held(lab, "forms")
    return Result(held == 1, f"{held} members after one person in three forms")


def members_are_a_set(lab: Lab) -> Result:
    held = _held(lab, "twice")
    return Result(held == 10, f"{held} members after the same 10 twice")


def _held(lab: Lab, name: str) -> int:
    held = lab.statistics(_left(lab)[name]).get("numberOfIdentifiers")
    if not held:
        raise Unseen(
            "not computed yet, so nothing was touched: return after 00:00 or 12:00 UTC and about five hours"
        )
    return int(held)


def _left(lab: Lab) -> dict[str, str]:
    """Return segments with our prefix, by name."""
    named = {str(segment["attributes"]["name"]): str(segment["id"]) for segment in lab.segments()}
    left = {name: named.get(f"{lab.prefix} {name}", "") for name in LEFT}
    if not all(left.values()):
        raise Unseen("the lists that were left are gone")
    return left


def _matching(lab: Lab) -> tuple[float, float, int]:
    """Return the rate of a list with matches, its matched share, and how many such lists exist."""
    lists = [segment for segment in lab.segments(audienceSegmentTypes=["ContactList"]) if _foreign(segment)]
    reported = [_counts(lab.statistics(str(segment["id"]))) for segment in lists[:LOOKED_AT]]
    seen = [one for one in reported if one]
    if not seen:
        raise Unseen("no list of this account has matches")
    partly = [one for one in seen if one[1] < 1] or seen
    return (*partly[0], len(seen))


def _foreign(segment: dict[str, Any]) -> bool:
    return not str(segment.get("attributes", {}).get("name", "")).startswith(FAMILY)


def _counts(attributes: Any) -> tuple[float, float] | None:
    identifiers, matches = attributes.get("numberOfIdentifiers"), attributes.get("numberOfMatches")
    rate = attributes.get("matchRate")
    return (float(rate), matches / identifiers) if identifiers and matches and rate else None


NOW = (
    Experiment(
        "match-rate-scale",
        "Is a match rate in percent?",
        ASSUMED.match_rate_scale,
        match_rate_scale,
        switch="match_rate_scale",
    ),
    Experiment(
        "match-rate", "What part of a list is matched?", ASSUMED.match_rate, match_rate, switch="match_rate"
    ),
)
RETURN = (
    Experiment(
        "forms-equivalent",
        "Are the plain, MD5 and SHA-256 forms of one e-mail one member?",
        ASSUMED.forms_equivalent,
        forms_equivalent,
        switch="forms_equivalent",
        stage="return",
    ),
    Experiment(
        "members-are-a-set",
        "Is a member that is added twice held once?",
        True,
        members_are_a_set,
        stage="return",
    ),
    Experiment(
        "delete-in-use",
        "May a segment that an audience is built on be deleted?",
        ASSUMED.delete_in_use,
        delete_in_use,
        switch="delete_in_use",
        stage="return",
    ),
)
