"""Rows of invented members, so that the first plan has counts."""

from datetime import date, timedelta

CUSTOMERS = 400
SPREAD = 180
"""Days over which last orders lie: in half a year all have lapsed."""
SUPPRESSED = range(56, 190, 7)
"""Some of them are in the lapsed audience, so that a plan excludes members."""


def example(today: date) -> dict[str, str]:
    """Return the content by path below the data root. `example.com` is reserved: no address is real."""
    customers = (
        f"{number:06d},person{number}@example.com,{today - timedelta(days=number % SPREAD)}"
        for number in range(1, CUSTOMERS + 1)
    )
    suppressed = (f"person{number}@example.com" for number in SUPPRESSED)
    return {
        "customers/example.csv": _lines("customer_id,email,last_order", *customers),
        "suppressed.csv": _lines("email", *suppressed),
    }


def _lines(*lines: str) -> str:
    return "".join(f"{line}\n" for line in lines)
