"""National phone numbers to E.164, by the numbering plans in the phonenumbers library.

The digits of a national number are read in three ways: behind the trunk prefix (`06 12 34 56 78`), without it
(`6 12 34 56 78`, as spreadsheets store it), and behind the country code without a plus (`33 6 12 34 56 78`).
A number counts if exactly one of them gives a fixed-line, mobile, personal or VoIP number. Python's re and
RE2 read the patterns alike.
"""

import re
from dataclasses import dataclass
from functools import cache

DIGITS = "[0-9]+"
_TYPES = ("fixed_line", "mobile", "personal_number", "voip")


@dataclass(frozen=True, slots=True)
class NumberingPlan:
    """How numbers are written in a country, and in those that share its code.

    `prefix` is the pattern of what is dialled before a number within the country, "" for none. Where
    it may hold more than the trunk prefix, such as a carrier, only `trunk` alone is understood.
    """

    code: str
    prefix: str
    trunk: str
    numbers: str


@cache
def countries() -> frozenset[str]:
    """Return the ISO 3166 codes of the countries with a known numbering plan."""
    from phonenumbers import SUPPORTED_REGIONS  # it takes longer to import than all else here

    return frozenset(SUPPORTED_REGIONS)


@cache
def numbering_plan(country: str) -> NumberingPlan:
    from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, PhoneMetadata

    own = PhoneMetadata.metadata_for_region(country)
    if own is None or own.country_code is None:
        raise LookupError("no numbering plan is known for this country")
    sharing = map(PhoneMetadata.metadata_for_region, COUNTRY_CODE_TO_REGION_CODE[own.country_code])
    descriptions = (getattr(one, kind) for one in sharing for kind in _TYPES)
    patterns = dict.fromkeys(one.national_number_pattern for one in descriptions if one)
    prefix, trunk = own.national_prefix_for_parsing or "", own.national_prefix or ""
    more = bool(re.compile(prefix).groups)
    return NumberingPlan(
        code=str(own.country_code),
        prefix=f"^(?:{prefix})" if prefix and (trunk or not more) else "",
        trunk=trunk if more else "",
        numbers="|".join(f"(?:{one})" for one in patterns if one),
    )


def international(digits: str, country: str) -> str:
    """Return the E.164 form of a national number, or "" if it has none or more than one."""
    plan = numbering_plan(country)
    behind_code = digits[len(plan.code) :] if digits.startswith(plan.code) else ""
    bare = _number(digits, plan)
    if bare and plan.prefix and behind_code:
        return ""  # with a trunk prefix, a number that begins like the country code says too little
    ways = {_behind_prefix(digits, plan), _number(behind_code, plan), bare} - {""}
    return f"+{plan.code}{ways.pop()}" if len(ways) == 1 else ""


def _behind_prefix(digits: str, plan: NumberingPlan) -> str:
    found = re.search(plan.prefix, digits) if plan.prefix else None
    if not found or not found[0] or found[0] != (plan.trunk or found[0]):
        return ""
    return _number(digits[found.end() :], plan)


def _number(digits: str, plan: NumberingPlan) -> str:
    return digits if re.fullmatch(plan.numbers, digits) else ""
