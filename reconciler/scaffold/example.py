"""Rows of people who do not exist, so that the first plan has something to count."""

from datetime import date, timedelta

CUSTOMERS, SUPPRESSED = 400, 10
SPREAD = 180
"""Days over which last orders lie: in half a year all have lapsed."""


def example(today: date) -> dict[str, str]:
    """By path below the data root. `example.com` is reserved: no address there is anybody's."""
    customers = (
        f"{number:06d},person{number}@example.com,{today - timedelta(days=number % SPREAD)}"
        for number in range(1, CUSTOMERS + 1)
    )
    suppressed = (f"person{number * 14}@example.com" for number in range(1, SUPPRESSED + 1))
    return {
        "customers/example.csv": _lines("customer_id,email,last_order", *customers),
        "suppressed.csv": _lines("email", *suppressed),
    }


def _lines(*lines: str) -> str:
    return "".join(f"{line}\n" for line in lines)
