"""The caller, its accounts and their retailers. Reads only."""

from reconciler.emulator.database import Session
from reconciler.emulator.request import ParsedRequest, texts
from reconciler.emulator.responses import Answer

HIGHEST_PAGE = 2**31 - 1
MOST_ACCOUNTS = 500


def me(_session: Session, _call: ParsedRequest) -> Answer:
    """`criteoService` is null: its values are not published."""
    attributes = {
        "applicationId": 1,
        "organizationId": 1,
        "name": "emulated application",
        "description": None,
        "criteoService": None,
    }
    data = {"type": "Application", "attributes": attributes}
    return Answer(200, {"data": data, "warnings": [], "errors": []})


def accounts(session: Session, call: ParsedRequest) -> Answer:
    index = call.number("pageIndex", 0, 0, HIGHEST_PAGE)
    size = call.number("pageSize", 25, 1, MOST_ACCOUNTS)
    wanted = call.query.get("limitToId") or []
    rows = session.db.execute("SELECT id, name FROM accounts ORDER BY rowid").fetchall()
    found = [(key, name) for key, name in rows if key in call.reach and (not wanted or key in wanted)]
    pages = -(-len(found) // size)
    metadata = {
        "totalItemsAcrossAllPages": len(found),
        "currentPageIndex": index,
        "currentPageSize": size,
        "totalPages": pages,
        "nextPage": _page(call, index + 1, size) if index + 1 < pages else None,
        "previousPage": _page(call, index - 1, size) if index else None,
    }
    data = [_account(*row) for row in found[index * size : (index + 1) * size]]
    return Answer(200, {"metadata": metadata, "data": data, "warnings": [], "errors": []})


def retailers(session: Session, call: ParsedRequest) -> Answer:
    wanted = texts(call.attributes(), "retailerIdFilter")
    limit = call.number("limit", 5, 1, 10)
    offset = call.number("offset", 0, 0, HIGHEST_PAGE)
    rows = session.db.execute(
        "SELECT id, name FROM retailers WHERE account_id = ? ORDER BY id", (call.account_id,)
    ).fetchall()
    found = [_retailer(key, name) for key, name in rows if not wanted or key in wanted]
    body = {
        "metadata": {"count": len(found), "limit": limit, "offset": offset},
        "data": found[offset : offset + limit],
        "warnings": [],
        "errors": [],
    }
    return Answer(200, body)


def _page(call: ParsedRequest, index: int, size: int) -> str:
    return f"{call.path}?pageIndex={index}&pageSize={size}"


def _account(key: str, name: str) -> dict[str, object]:
    attributes: dict[str, object] = {
        "name": name,
        "type": "demand",
        "subtype": "brand",
        "countries": ["FR"],
        "currency": "EUR",
        "timeZone": "Europe/Paris",
        "parentAccountLabel": name,
        "companyName": None,
        "onBehalfCompanyName": None,
    }
    return {"id": key, "type": "RetailMediaAccount", "attributes": attributes}


def _retailer(key: str, name: str) -> dict[str, object]:
    attributes = {"name": name, "campaignAvailabilities": []}
    return {"id": key, "type": "Retailer", "attributes": attributes}
