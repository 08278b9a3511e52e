"""`doctor --json`: every check with its status. Messages and remedies are text."""

from collections.abc import Sequence

from reconciler.core.doctor.checks import Check, exit_code
from reconciler.render.json.values import Json, code, lines
from reconciler.render.text import name, sentence


def checkup_values(environment: str, checks: Sequence[Check]) -> Json:
    return {
        "environment": name(environment),
        "exit_code": exit_code(checks),
        "checks": [_check(one) for one in checks],
    }


def _check(check: Check) -> Json:
    return {
        "check": code(check.name),
        "credential": name(check.credential) or None,
        "item": name(check.item) or None,
        "status": code(check.result.status),
        "message": sentence(check.result.message),
        "remedy": lines(check.result.remedy),
        "exit_code": check.result.code,
    }
