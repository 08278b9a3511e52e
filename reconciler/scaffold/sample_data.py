"""Rows of people who do not exist, so that the first plan has something to count."""

from datetime import date, timedelta

CUSTOMERS = 400
SPREAD = 180
"""Days over which last orders lie: in half a year all have lapsed."""
SUPPRESSED = range(56, 190, 7)
"""Some of them have lapsed, so that a plan has somebody to exclude."""


def example(today: date) -> dict[str, str]:
    """By path below the data root. `example.com` is reserved: no address there is anybody's."""
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
