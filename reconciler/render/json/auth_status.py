"""`auth status --json`: which consents are held, and until when; never the thing itself."""

from collections.abc import Iterable

from reconciler.core.consent.model import Consent
from reconciler.render.json.values import Json, lines, time
from reconciler.render.terminal.auth_status import ConsentRow
from reconciler.render.text import name, sentence


def consents_values(environment: str, rows: Iterable[ConsentRow]) -> Json:
    return {"environment": name(environment), "credentials": [_row(one) for one in rows]}


def _row(row: ConsentRow) -> Json:
    return {
        "credential": name(row.name),
        "grant": row.grant,
        "status": row.status.value,
        "message": sentence(row.state),
        "remedy": lines(row.remedy),
        "consent": _consent(row.consent) if row.consent else None,
    }


def _consent(consent: Consent) -> Json:
    """Return the values of a consent. Times are null for a token that was entered by hand."""
    return {
        "obtained_by": sentence(consent.obtained_by),
        "consented_at": time(consent.consented_at),
        "obtained_at": time(consent.obtained_at),
        "expires_at": time(consent.ends_at),
        "accounts": [sentence(one) for one in consent.accounts],
    }
