"""Add-remove: other types, samples of invalid identifiers, and the limits of one call."""

from hashlib import sha256

from fidelity.experiment import Experiment, Result, largest
from fidelity.lab import Lab, Seen, Unseen
from reconciler.emulator.switches import Switches

ASSUMED = Switches()
STEP = 65_536
"""Bytes: a limit of bodies is found to within this."""
MOST_STEPS = 256
BAD = 100


def person(number: int) -> str:
    """Return an invented member: the domain is reserved for documentation."""
    return f"person{number}@example.com"


def hashed(number: int) -> str:
    return sha256(person(number).encode()).hexdigest()


def type_mismatch(lab: Lab) -> Result:
    seen = lab.add(lab.contact_list("emails"), ["fidelity-1", "fidelity-2"], kind="CustomerId")
    if seen.status == 400:
        return Result("http-400", seen.summary)
    valid, invalid = _counts(seen)
    return Result("invalid" if (valid, invalid) == (0, 2) else "taken", f"{valid} valid, {invalid} invalid")


def invalid_samples(lab: Lab) -> Result:
    seen = lab.add(lab.contact_list("invalid"), [f"no address {number}" for number in range(BAD)])
    _, invalid = _counts(seen)
    data = seen.body["data"]
    samples = len(data.get("sampleInvalidIdentifiers") or [])
    if not invalid:
        raise Unseen("nothing was counted as invalid")
    return Result(samples if samples < invalid else f"at least {samples}", f"of {invalid} invalid")


def max_identifiers(lab: Lab) -> Result:
    segment, refusal = lab.contact_list("many"), [""]
    people = [hashed(number) for number in range(100_000)]

    def taken(count: int) -> bool:
        seen = lab.add(segment, people[:count])
        refusal[0] = refusal[0] if seen.status == 200 else seen.summary
        return seen.status == 200

    most, refused = largest(taken, (ASSUMED.max_identifiers, ASSUMED.max_identifiers + 1, len(people)))
    return Result(most, f"more are answered {refusal[0]}" if refused else "more were not tried")


def max_body_bytes(lab: Lab) -> Result:
    """Find the limit with blanks after the body."""
    segment, refusal = lab.contact_list("long"), [""]

    def taken(steps: int) -> bool:
        seen = lab.add(segment, [hashed(1)], padding=steps * STEP)
        refusal[0] = refusal[0] if seen.status == 200 else seen.summary
        return seen.status == 200

    most, refused = largest(taken, (MOST_STEPS // 2, MOST_STEPS))
    if not refused:
        return Result(f"over {most * STEP}", "more were not tried")
    return Result(f"{most * STEP} to {refused * STEP}", f"more are answered {refusal[0]}")


def max_bulk_items(lab: Lab) -> Result:
    """Find the limit with many updates of one segment that change nothing."""
    segment, refusal = lab.contact_list("items"), [""]

    def taken(count: int) -> bool:
        seen = lab.update(*[(segment, {})] * count)
        refusal[0] = refusal[0] if seen.status == 200 else seen.summary
        return seen.status == 200

    most, refused = largest(taken, (ASSUMED.max_bulk_items, ASSUMED.max_bulk_items + 1, 500))
    return Result(most, f"more are answered {refusal[0]}" if refused else "more were not tried")


def _counts(seen: Seen) -> tuple[int, int]:
    data = seen.body.get("data")
    if seen.status != 200 or not isinstance(data, dict):
        raise Unseen(f"identifiers were not taken: {seen.summary}")
    return int(data.get("nbValidIdentifiers") or 0), int(data.get("nbInvalidIdentifiers") or 0)


EXPERIMENTS = (
    Experiment(
        "type-mismatch",
        "What becomes of identifiers of another type than the list's?",
        ASSUMED.type_mismatch,
        type_mismatch,
        switch="type_mismatch",
    ),
    Experiment(
        "invalid-samples",
        "How many invalid identifiers does an answer repeat?",
        ASSUMED.invalid_samples,
        invalid_samples,
        switch="invalid_samples",
    ),
    Experiment(
        "max-identifiers",
        "How many identifiers may one call carry?",
        ASSUMED.max_identifiers,
        max_identifiers,
        switch="max_identifiers",
    ),
    Experiment(
        "max-body-bytes",
        "How many bytes may a body have?",
        ASSUMED.max_body_bytes,
        max_body_bytes,
        switch="max_body_bytes",
    ),
    Experiment(
        "max-bulk-items",
        "How many items may one bulk call carry?",
        ASSUMED.max_bulk_items,
        max_bulk_items,
        switch="max_bulk_items",
    ),
)
