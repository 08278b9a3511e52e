"""`core.phone_numbers` in SQL, tested equal to it."""

from reconciler.core import identifiers as rules
from reconciler.core import phone_numbers
from reconciler.core.phone_numbers import NumberingPlan
from reconciler.members.database import literal


def steps(x: str, plan: NumberingPlan | None) -> tuple[dict[str, str], ...]:
    """Return the columns to compute, by step: a step may use those before it, and `X_cut`.

    The last column is `X_bare`, the number without what people write between digits, in E.164 if it has
    such a form.
    """
    digits = f"{x}_digits"
    first = {digits: f"translate({x}_cut, {literal(rules.PHONE_FILLERS)}, '')"}
    known = f"WHEN starts_with({digits}, '00') THEN '+' || substr({digits}, 3)"
    if plan is None:
        return first, {f"{x}_bare": f"CASE {known} ELSE {digits} END"}
    only = f"NOT starts_with({digits}, '00') AND {_matches(digits, phone_numbers.DIGITS)}"
    found = f"'+{plan.code}' || {x}_number"
    return (
        first,
        {f"{x}_national": f"CASE WHEN {only} THEN {digits} END"},
        _ways(x, plan),
        {f"{x}_number": _one_of(x, plan)},
        {f"{x}_bare": f"CASE {known} ELSE coalesce({found}, {digits}) END"},
    )


def _ways(x: str, plan: NumberingPlan) -> dict[str, str]:
    """Return the three ways to read a national number, each NULL where it gives none."""
    national = f"{x}_national"
    code = (
        f"CASE WHEN starts_with({national}, '{plan.code}') THEN substr({national}, {len(plan.code) + 1}) END"
    )
    return {
        f"{x}_behind_prefix": _number(_rest(national, plan), plan) if plan.prefix else "NULL",
        f"{x}_behind_code": _number(code, plan),
        f"{x}_whole": _number(national, plan),
    }


def _rest(national: str, plan: NumberingPlan) -> str:
    prefix = f"regexp_extract({national}, {literal(plan.prefix)})"
    known = f"{prefix} = {literal(plan.trunk)}" if plan.trunk else f"{prefix} <> ''"
    return f"CASE WHEN {known} THEN substr({national}, strlen({prefix}) + 1) END"


def _number(digits: str, plan: NumberingPlan) -> str:
    return f"CASE WHEN {_matches(digits, plan.numbers)} THEN {digits} END"


def _one_of(x: str, plan: NumberingPlan) -> str:
    """Return the number if only one way, or two that agree, gives one."""
    own = f"starts_with({x}_national, '{plan.code}') AND strlen({x}_national) > {len(plan.code)}"
    unclear = f"WHEN {x}_whole IS NOT NULL AND {own} THEN NULL " if plan.prefix else ""
    other = f"coalesce({x}_behind_prefix, {x}_behind_code)"
    return (
        f"CASE {unclear}WHEN {x}_behind_prefix <> {x}_behind_code OR {x}_whole <> {other} THEN NULL "
        f"ELSE coalesce({other}, {x}_whole) END"
    )


def _matches(x: str, pattern: str) -> str:
    return f"regexp_full_match({x}, {literal(pattern)})"
