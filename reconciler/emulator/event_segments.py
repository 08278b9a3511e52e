"""Event segments: in the stable contract although the documentation calls them unsupported."""

import orjson

from reconciler.emulator.request import choice, mapping, texts
from reconciler.emulator.responses import malformed

LOOKBACK = tuple(f"Last{days}Days" for days in (7, 14, 30, 45, 60, 90, 120, 150, 180))
ACTIVITY = ("View", "Buy", "AddToCart")
PRICES = ("minPrice", "maxPrice")


def created(given: dict[str, object]) -> str:
    """As stored: JSON with every attribute of the answer."""
    lookback, activity = _enums(given)
    if not lookback or not activity:
        raise malformed("events needs lookbackDays and shopperActivity")
    return _stored(
        {
            "lookbackDays": lookback,
            "shopperActivity": activity,
            "brandIds": texts(given, "brandIds"),
            "categoryIds": texts(given, "categoryIds"),
            **{price: _price(given.get(price)) for price in PRICES},
        }
    )


def updated(stored: str, given: dict[str, object]) -> str:
    """Prices come wrapped, to distinguish null from absent."""
    events: dict[str, object] = orjson.loads(stored)
    lookback, activity = _enums(given)
    events["lookbackDays"] = lookback or events["lookbackDays"]
    events["shopperActivity"] = activity or events["shopperActivity"]
    for name in ("brandIds", "categoryIds"):
        if given.get(name) is not None:
            events[name] = texts(given, name)
    for price in PRICES:
        if given.get(price) is not None:
            events[price] = _price(mapping(given[price]).get("value"))
    return _stored(events)


def _enums(given: dict[str, object]) -> tuple[str, str]:
    return choice(given, "lookbackDays", LOOKBACK), choice(given, "shopperActivity", ACTIVITY)


def _price(value: object) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise malformed("a price is not a number")
    return float(value)


def _stored(events: dict[str, object]) -> str:
    return orjson.dumps(events).decode()
