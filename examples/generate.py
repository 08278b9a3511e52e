"""Writes the example data: seeded, and the same bytes on every machine. No person in it exists.

Twenty thousand customers in three files as exports really look: mixed case, blanks of every kind
around addresses, malformed and already hashed ones, duplicates across files, a byte order mark, two
kinds of line ending. Some dates lie ahead of `EPOCH`, so that "no order in 90 days" stays a share
of the customers, and not all of them, for years.
"""

import csv
import gzip
import hashlib
import io
import json
import random
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import TypeVar

EPOCH = date(2026, 11, 1)
CUSTOMERS, SUPPRESSED, LOYAL = 20_000, 150, 5_000
HEADER = [
    "customer_id",
    "email",
    "phone",
    "first_name",
    "city",
    "country",
    "registered_on",
    "last_order",
    "orders",
    "lifetime_value",
    "newsletter",
    "loyalty_tier",
]

FIRST = [
    "Ada",
    "Ben",
    "Chloé",
    "Dora",
    "Émile",
    "Finn",
    "Greta",
    "Hugo",
    "Ines",
    "Jürgen",
    "Kaito",
    "Lena",
    "Mia",
    "Noor",
    "Otto",
    "Pia",
]
LAST = [
    "Adler",
    "Bauer",
    "Costa",
    "Dubois",
    "Evans",
    "Fischer",
    "Garcia",
    "Haas",
    "Ito",
    "Jansen",
    "Klein",
    "Lopez",
    "Meyer",
    "Novak",
    "Olsen",
]
DOMAINS = ("example.com", "example.org", "example.net", "mail.example", "post.example", "shop.example")
# Numbers that regulators keep free for fiction; {} is three digits.
PLACES = (
    ("Berlin", "DE", "+49 30 23125 {}"),
    ("Hamburg", "DE", "0049 (30) 23125-{}"),
    ("London", "GB", "+44 20 7946 0{}"),
    ("Paris", "FR", "+33 1 99 00 0{}"),
    ("Boston, MA", "US", "+1 (202) 555-0{}"),
    ("San José", "US", "+1.202.555.0{}"),
)
AROUND = (" {}", "{} ", "\t{}", "{}\t", "\u00a0{}", "{}\u00a0", "  {}\u200b", "\ufeff{}")
MALFORMED = ("{0}", "{0}@example", "{0}@@example.com", "{0} @example.com", "{0}@example,com", "@", "n/a")


T = TypeVar("T")


class Dice(random.Random):
    """A generator on `random()` only: no other method is stable across versions of Python."""

    def below(self, limit: int) -> int:
        return int(self.random() * limit)

    def one(self, values: Sequence[T]) -> T:
        return values[self.below(len(values))]

    def hit(self, share: float) -> bool:
        return self.random() < share


@dataclass(frozen=True)
class Customer:
    number: int
    email: str
    phone: str
    first_name: str
    city: str
    country: str
    registered_on: date
    last_order: date | None
    orders: int
    lifetime_value: str
    newsletter: bool
    tier: str

    @property
    def id(self) -> str:
        return f"{self.number:08d}"

    def row(self) -> list[str]:
        return [
            self.id,
            self.email,
            self.phone,
            self.first_name,
            self.city,
            self.country,
            self.registered_on.isoformat(),
            self.last_order.isoformat() if self.last_order else "",
            str(self.orders),
            self.lifetime_value,
            str(self.newsletter).lower(),
            self.tier,
        ]


def customer(dice: Dice, number: int) -> Customer:
    """Return one valid customer."""
    first, last = dice.one(FIRST), dice.one(LAST)
    local = first.lower().translate(str.maketrans("éü", "eu"))
    city, country, phone = dice.one(PLACES)
    ahead = dice.hit(0.4)
    ordered = EPOCH + timedelta(days=dice.below(1600) - 30 if ahead else -dice.below(1000))
    orders = 0 if dice.hit(0.05) else 1 + dice.below(1 + dice.below(30))
    value = sum(500 + dice.below(9500) for _ in range(orders))
    return Customer(
        number=number,
        email=f"{local}.{last.lower()}{number}@{dice.one(DOMAINS)}",
        phone="" if dice.hit(0.3) else phone.format(f"{dice.below(1000):03d}"),
        first_name=first,
        city=city,
        country=country,
        registered_on=min(ordered, EPOCH) - timedelta(days=dice.below(1500)),
        last_order=ordered if orders else None,
        orders=orders,
        lifetime_value=f"{value // 100}.{value % 100:02d}",
        newsletter=dice.hit(0.6),
        tier=("", "bronze", "silver", "gold")[(orders > 3) + (orders > 9) + (orders > 18)],
    )


def dirty(dice: Dice, clean: Customer) -> Customer:
    """Return the same customer as an export might write it."""
    email, local = clean.email, clean.email.partition("@")[0]
    die = dice.random()
    if die < 0.02:
        email = ""
    elif die < 0.032:
        email = dice.one(MALFORMED).format(local)
    elif die < 0.045:
        email = sha256(email)
    elif die < 0.12:
        email = dice.one((str.upper, str.title))(email)
    if email and dice.hit(0.06):
        email = dice.one(AROUND).format(email)
    return replace(
        clean,
        email=email,
        phone=dice.one(("030 23125", "unknown", "+")) if dice.hit(0.005) else clean.phone,
        city=f"{clean.city}\n(Altstadt)" if dice.hit(0.01) else clean.city,
        first_name=f'{clean.first_name} "Max"' if dice.hit(0.005) else clean.first_name,
    )


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def table(header: Sequence[str], rows: Sequence[Sequence[str]], newline: str = "\n") -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator=newline).writerows([header, *rows])
    return text.getvalue().encode()


def suppressed(dice: Dice, people: Sequence[Customer]) -> bytes:
    """Return suppressed members: customers and others, some only as a hash."""
    rows = []
    for index in range(SUPPRESSED):
        email = f"gone{index}@example.net" if index % 15 == 0 else people[dice.below(len(people))].email
        rows.append([sha256(email) if index % 6 == 1 else email.upper() if index % 6 == 2 else email])
    return table(["email"], rows)


def loyalty(dice: Dice, people: Sequence[Customer]) -> bytes:
    members = [one for one in people if one.tier][:LOYAL]
    lines = (
        {"customer_id": one.id, "email": one.email, "tier": one.tier, "points": 10 * dice.below(900)}
        for one in members
    )
    text = "".join(json.dumps(line) + "\n" for line in lines)
    return gzip.compress(text.encode(), mtime=0)


def files(seed: int = 20261101) -> dict[str, bytes]:
    """Return all files, by path relative to the data root."""
    dice = Dice(seed)
    people = [customer(dice, number) for number in range(1, CUSTOMERS + 1)]
    parts: list[list[list[str]]] = [[], [], []]
    for index, person in enumerate(people):
        part = index * 3 // CUSTOMERS
        parts[part].append(dirty(dice, person).row())
        if dice.hit(0.02):
            parts[(part + 1) % 3].append(dirty(dice, person).row())
    return {
        "customers/2026-north.csv": table(HEADER, parts[0]),
        "customers/2026-south.csv": b"\xef\xbb\xbf" + table(HEADER, parts[1]),
        "customers/2026-west.csv": table(HEADER, parts[2], newline="\r\n"),
        "suppressed.csv": suppressed(dice, people),
        "loyalty/members.jsonl.gz": loyalty(dice, people),
    }


def main(root: Path) -> None:
    for name, content in files().items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        print(f"{path}: {len(content):,} bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "data")
